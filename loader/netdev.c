// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t queues_of(int fd, const char *ifname)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (void *)&ch};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCETHTOOL, &ifr) || !(ch.rx_count + ch.combined_count))
		return 1;
	return ch.rx_count + ch.combined_count;
}

int netdev_get(const char *ifname, struct netdev *out)
{
	struct ifreq ifr = {0};
	int fd, err = 0;

	memset(out, 0, sizeof(*out));
	if (strlen(ifname) >= sizeof(out->ifname))
		return -ENODEV;
	strcpy(out->ifname, ifname);
	strcpy(ifr.ifr_name, ifname);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFINDEX, &ifr)) {
		err = -errno;
		goto close;
	}
	out->ifindex = (uint32_t)ifr.ifr_ifindex;
	if (ioctl(fd, SIOCGIFMTU, &ifr)) {
		err = -errno;
		goto close;
	}
	out->mtu = (uint32_t)ifr.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &ifr)) {
		err = -errno;
		goto close;
	}
	out->ethernet = ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	memcpy(out->mac, ifr.ifr_hwaddr.sa_data, sizeof(out->mac));
	out->queues = queues_of(fd, ifname);
close:
	close(fd);
	return err;
}
