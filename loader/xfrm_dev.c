// SPDX-License-Identifier: BSD-2-Clause
#include "link.h"
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The XFRM interface in collect-metadata mode: tc_out names a pair by its if_id and sends the
 * packet in, the kernel encrypts it; what the kernel decrypted comes out. It has no addresses, and
 * nobody routes to it. The alias says whose it is. A namespace can have but one: somebody else's is
 * used, and stays when we go.
 */

enum { MTU = 65535 }; /* what is too large for the path its own check finds */

static void alias_of(const char *pin_dir, char alias[LINK_ALIAS_LEN])
{
	snprintf(alias, LINK_ALIAS_LEN, "xdpsec kernel engine of %.120s", pin_dir);
}

/* if_id 0: in collect-metadata mode. */
static int make(const char *ifname, uint32_t if_id)
{
	char buf[1024];
	struct nlmsghdr *nlh = link_msg(buf, RTM_NEWLINK, ifname, 0);
	struct nlattr *info, *data;

	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "xfrm");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	if (if_id)
		mnl_attr_put_u32(nlh, IFLA_XFRM_IF_ID, if_id);
	else
		mnl_attr_put(nlh, IFLA_XFRM_COLLECT_METADATA, 0, NULL);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return link_ask(nlh, NULL, NULL);
}

static bool reads_one(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 0;
	bool one = fd >= 0 && read(fd, &c, 1) == 1 && c == '1';

	if (fd >= 0)
		close(fd);
	return one;
}

/* A host that forwards forwards what comes out of a tunnel, whatever the default for new interfaces
 * says. */
static int follow_forwarding(const char *ifname)
{
	static const char *const of_host[] = {"/proc/sys/net/ipv4/ip_forward",
					      "/proc/sys/net/ipv6/conf/all/forwarding"};
	static const char *const family[] = {"ipv4", "ipv6"};
	int err = 0;

	for (int i = 0; i < 2; i++) {
		char path[96];
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%.15s/forwarding", family[i],
			 ifname);
		if (!reads_one(of_host[i]) || reads_one(path))
			continue;
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "1", 1) != 1)
			err = -errno;
		if (fd >= 0)
			close(fd);
	}
	return err;
}

static int prepare(const struct link_row *l, bool ours)
{
	int e;

	if (ours)
		link_set_quiet(l->ifname);
	e = link_set_up(l->ifname, ours ? MTU : 0);
	return e ? e : follow_forwarding(l->ifname);
}

/* For transport mode (XS_XFRM_TRANSPORT_IF_ID); 0: there is none, and none can be had. */
static uint32_t transport_up(const char *alias)
{
	struct link_row l;
	int e = link_find(GW_XFRM_TRANSPORT_DEV, &l);
	bool new = e == -ENODEV;

	if (new) {
		e = make(GW_XFRM_TRANSPORT_DEV, XS_XFRM_TRANSPORT_IF_ID);
		if (!e)
			e = link_set_alias(GW_XFRM_TRANSPORT_DEV, alias);
		if (!e)
			e = link_find(GW_XFRM_TRANSPORT_DEV, &l);
	}
	if (!e && strcmp(l.alias, alias) != 0)
		return 0; /* a stranger's */
	if (!e)
		e = prepare(&l, true);
	if (e && new)
		link_del(GW_XFRM_TRANSPORT_DEV);
	return e ? 0 : l.ifindex;
}

int xfrm_dev_up(const char *pin_dir, struct xfrm_dev *out)
{
	char alias[LINK_ALIAS_LEN];
	struct link_row l;
	bool ours;
	int e = link_find_xfrm(&l);

	memset(out, 0, sizeof(*out));
	alias_of(pin_dir, alias);
	if (e == -ENODEV) {
		e = make(GW_XFRM_DEV, 0);
		if (!e)
			out->made = true;
		if (!e)
			e = link_set_alias(GW_XFRM_DEV, alias);
		if (!e)
			e = link_find_xfrm(&l);
	}
	ours = out->made || (!e && !strcmp(l.alias, alias));
	if (!e)
		e = prepare(&l, ours);
	if (e && out->made) {
		link_del(GW_XFRM_DEV);
		out->made = false;
	}
	if (e)
		return e;
	out->ifindex = l.ifindex;
	out->ours = ours;
	out->transport = transport_up(alias);
	memcpy(out->ifname, l.ifname, sizeof(out->ifname));
	return 0;
}

void xfrm_dev_remove(const char *pin_dir)
{
	char alias[LINK_ALIAS_LEN];
	struct link_row l;

	alias_of(pin_dir, alias);
	if (!link_find_xfrm(&l) && !strcmp(l.alias, alias))
		link_del(l.ifname);
	if (!link_find(GW_XFRM_TRANSPORT_DEV, &l) && !strcmp(l.alias, alias))
		link_del(l.ifname);
}

/* libbpf looks for modules by their numbers, which takes CAP_SYS_ADMIN; it says nothing without. */
static int may_list_btf(void)
{
	__u32 id = 0;
	int e = bpf_btf_get_next_id(0, &id);

	return e == -EPERM ? e : 0;
}

int kfunc_find(const char *name, const char *module)
{
	struct btf *vmlinux = btf__load_vmlinux_btf(), *mod = NULL;
	int err;

	if (!vmlinux)
		return -errno;
	err = btf__find_by_name_kind(vmlinux, name, BTF_KIND_FUNC) > 0 ? 0 : -ENOENT;
	if (err && module)
		mod = btf__load_module_btf(module, vmlinux);
	if (mod && btf__find_by_name_kind(mod, name, BTF_KIND_FUNC) > 0)
		err = may_list_btf();
	btf__free(mod);
	btf__free(vmlinux);
	return err;
}
