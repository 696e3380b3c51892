/* SPDX-License-Identifier: BSD-2-Clause */
#include "client_int.h"

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * hw_offload. The kernel takes an SA that asks for the cipher alone even from a device that has
 * none, and does it in software without a word: so what was got is read back. Whole packets are
 * refused when the device cannot. There is no feature bit for those: asking is the way to know.
 */

enum { FEATURE_WORDS = 8, FEATURES_MAX = FEATURE_WORDS * 32, ROUTE_BYTES = 4096 };

/* ---- the interface
 * --------------------------------------------------------------------------------------- */

static int on_route_attr(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) >= sizeof(uint32_t))
		*(int *)arg = (int)mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type == RTM_NEWROUTE &&
	    mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct rtmsg))
		mnl_attr_parse(nlh, sizeof(struct rtmsg), on_route_attr, arg);
	return MNL_CB_STOP;
}

static int ask_route(struct mnl_socket *nl, const struct ip_addr *to, int *ifindex)
{
	_Alignas(8) uint8_t buf[ROUTE_BYTES];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt;
	ssize_t n;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	rt->rtm_family = to->family == 4 ? AF_INET : AF_INET6;
	rt->rtm_dst_len = to->family == 4 ? 32 : 128;
	mnl_attr_put(nlh, RTA_DST, addr_len(to), to->b);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 0, 0, on_route, ifindex) < 0 ? -errno : 0;
}

/* The interface of the route to an address: 0 and its index, or -errno. */
static int route_to(const struct ip_addr *to, int *ifindex)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	*ifindex = 0;
	if (!nl)
		return -errno;
	r = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ? -errno : ask_route(nl, to, ifindex);
	mnl_socket_close(nl);
	return r ? r : *ifindex > 0 ? 0 : -ENETUNREACH;
}

/* ---- its features
 * ------------------------------------------------------------------------------------------ */

static int ethtool(int fd, const char *name, void *data)
{
	struct ifreq ifr = {.ifr_data = data};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &ifr) ? -errno : 0;
}

/* The number of a feature of that name, or -1. */
static int feature_number(int fd, const char *name, const char *feature)
{
	_Alignas(8) uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)] = {0};
	struct ethtool_sset_info *info = (void *)room;
	struct ethtool_gstrings *g;
	uint32_t count;
	int found = -1;

	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1ULL << ETH_SS_FEATURES;
	if (ethtool(fd, name, info) || !info->sset_mask || info->data[0] > FEATURES_MAX)
		return -1;
	count = info->data[0];
	g = calloc(1, sizeof(*g) + (size_t)count * ETH_GSTRING_LEN);
	if (!g)
		return -1;
	g->cmd = ETHTOOL_GSTRINGS;
	g->string_set = ETH_SS_FEATURES;
	g->len = count;
	if (!ethtool(fd, name, g))
		for (uint32_t i = 0; i < g->len && i < count && found < 0; i++)
			if (!strncmp((const char *)g->data + (size_t)i * ETH_GSTRING_LEN, feature,
				     ETH_GSTRING_LEN))
				found = (int)i;
	free(g);
	return found;
}

/* Does the interface say that it can do ESP's cipher, and is it switched on? */
static bool has_esp_offload(const char *name)
{
	_Alignas(8) uint8_t room[sizeof(struct ethtool_gfeatures) +
				 FEATURE_WORDS * sizeof(struct ethtool_get_features_block)] = {0};
	struct ethtool_gfeatures *f = (void *)room;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bit;
	bool has;

	f->cmd = ETHTOOL_GFEATURES;
	f->size = FEATURE_WORDS;
	if (fd < 0)
		return false;
	bit = feature_number(fd, name, "esp-hw-offload");
	has =
	    bit >= 0 && !ethtool(fd, name, f) && f->features[bit / 32].active & (1U << (bit % 32));
	close(fd);
	return has;
}

/* ---- adding
 * ------------------------------------------------------------------------------------------------
 */

/* One try, at once. The words of a refusal are the kernel's, or those of the error. */
static int try_add(struct xfrm_client *c, const struct xfrm_sa_spec *s, char *text)
{
	int n = xfrm_put_sa(c->batch.p, c->batch.n, s, &c->caps, text), r;

	if (n < 0)
		return n;
	r = client_exchange(c, c->batch.p, (size_t)n, NULL, NULL, text);
	secret_wipe(c->batch.p, (size_t)n);
	c->stat.requests++;
	c->stat.batches++;
	if (r == -ENOBUFS) {
		struct asked a = {.kind = ASK_SA_ADD};

		asked_sa(&a, s);
		c->stat.lost_answers++;
		r = client_find_out(c, &a);
	}
	if (r && !text[0])
		snprintf(text, XF_TEXT_MAX, "%s", strerror(-r));
	return r;
}

static enum xf_offload_wish what_was_got(struct xfrm_client *c, const struct xfrm_sa_spec *s)
{
	struct xfrm_sa_id id = {.dst = s->dst, .spi = s->spi, .proto = s->proto, .mark = s->mark};
	struct xfrm_sa_info info;

	return xfrm_sa_get(c, &id, &info) ? XF_OFFLOAD_NO : info.spec.offload.wish;
}

static void take_back(struct xfrm_client *c, const struct xfrm_sa_spec *s)
{
	struct xfrm_sa_id id = {.dst = s->dst, .spi = s->spi, .proto = s->proto, .mark = s->mark};
	_Alignas(8) uint8_t msg[XF_MSG_MAX];
	char text[XF_TEXT_MAX];
	int n = xfrm_put_sa_del(msg, sizeof(msg), &id);

	if (n > 0)
		(void)client_exchange(c, msg, (size_t)n, NULL, NULL, text);
}

/* By name: what was asked for, or an error that names the interface. */
static int add_named(struct xfrm_client *c, const struct xfrm_sa_spec *s, const char *name,
		     char *text)
{
	const char *what = s->offload.wish == XF_OFFLOAD_PACKET ? "packet" : "crypto";
	char why[XF_TEXT_MAX] = "";
	int r = try_add(c, s, why);

	if (!r && what_was_got(c, s) != s->offload.wish) {
		take_back(c, s);
		snprintf(why, sizeof(why), "the interface cannot");
		r = -EOPNOTSUPP;
	}
	/* That there is one already is no fault of the interface. */
	if (r == -EEXIST)
		snprintf(text, XF_TEXT_MAX, "%s", why);
	else if (r)
		snprintf(text, XF_TEXT_MAX, "no %s offload by %s: %.80s", what, name, why);
	else
		snprintf(text, XF_TEXT_MAX, "%s offload by %s", what, name);
	return r;
}

static int add_in_software(struct xfrm_client *c, struct xfrm_sa_spec *s, const char *because,
			   char *text)
{
	char why[XF_TEXT_MAX] = "";
	int r;

	s->offload = (struct xf_offload){0};
	r = try_add(c, s, why);
	if (r)
		snprintf(text, XF_TEXT_MAX, "%s", why);
	else
		snprintf(text, XF_TEXT_MAX, "software: %.110s", because);
	return r;
}

static int add_auto(struct xfrm_client *c, struct xfrm_sa_spec *s, const char *name, char *text)
{
	char because[XF_TEXT_MAX];
	int r;

	s->offload.wish = XF_OFFLOAD_PACKET;
	r = add_named(c, s, name, text);
	if (!r || r == -EEXIST)
		return r;
	snprintf(because, sizeof(because), "%s", text);
	if (has_esp_offload(name)) {
		s->offload.wish = XF_OFFLOAD_CRYPTO;
		r = add_named(c, s, name, text);
		if (!r || r == -EEXIST)
			return r;
		snprintf(because, sizeof(because), "%s", text);
	}
	return add_in_software(c, s, because, text);
}

static int add_by_route(struct xfrm_client *c, struct xfrm_sa_spec *s, char *text)
{
	bool any = s->offload.wish == XF_OFFLOAD_AUTO;
	char name[IF_NAMESIZE] = "?";
	int r = 0;

	if (s->offload.ifindex <= 0)
		r = route_to(s->dir == XF_IN ? &s->src : &s->dst, &s->offload.ifindex);
	if (!r && !if_indextoname((unsigned int)s->offload.ifindex, name))
		r = -ENODEV;
	if (r && any)
		return add_in_software(c, s, "no interface to the peer", text);
	if (r) {
		snprintf(text, XF_TEXT_MAX,
			 "no interface to the peer that could be asked for offload: %s",
			 strerror(-r));
		return r;
	}
	return any ? add_auto(c, s, name, text) : add_named(c, s, name, text);
}

int client_add_offloaded(struct xfrm_client *c, const struct xfrm_sa_spec *s,
			 const struct xfrm_wait *w, char *why)
{
	struct xfrm_sa_spec copy = *s;
	char text[XF_TEXT_MAX] = "";
	struct asked *a;
	int r;

	/* What no kernel could take is refused before anything is asked. */
	client_send(c);
	r = xfrm_put_sa(c->batch.p, c->batch.n, s, &c->caps, why);
	secret_wipe(c->batch.p, XF_MSG_MAX);
	if (r < 0)
		return r;
	a = asked_new(ASK_SA_ADD, w);
	if (!a)
		return -ENOMEM;
	asked_sa(a, s);
	r = add_by_route(c, &copy, text);
	client_answer(c, a, r, text);
	return 0;
}
