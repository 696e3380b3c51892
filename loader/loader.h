/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "common/gateway_conf.h"
#include "maps/maps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the parts of xdpsec-loader share. Errors are one line in `err`; 0 or -errno is returned. */

struct xdpsec_bpf;

enum { LOADER_ERR_LEN = 768, LOADER_PATH_LEN = 192 };

struct loader_err {
	char text[LOADER_ERR_LEN];
};
/* Fills the text and returns `code`. */
int loader_fail(struct loader_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- netdev.c: what the kernel says of an interface of this network namespace ----------- */
struct netdev {
	char ifname[16];
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t queues; /* for receiving */
	uint8_t mac[6];
	bool ethernet;
};

/* -ENODEV when there is none of this name. */
int netdev_get(const char *ifname, struct netdev *out);

/* ---- ramp.c: the on-ramp for what this host itself sends --------------------------------- */
/*
 * A veth pair: tc_out sends what a policy protects into the near end, and xdp_lan takes it from the
 * far one, with an AF_XDP socket. It belongs to a pin directory, and goes with it.
 */
/* Makes the pair, or takes the one that this pin directory has; *ifindex of the near end. -EEXIST:
 * there is one of that name that is not ours. */
int ramp_up(const char *pin_dir, uint32_t mtu, uint32_t *ifindex, bool *made);
/* Harmless when there is none, or it is another's. */
void ramp_remove(const char *pin_dir);

/* ---- xfrm_dev.c: the XFRM interface of the kernel engine ------------------------------------ */
struct xfrm_dev {
	uint32_t ifindex; /* 0: there is none */
	uint32_t transport; /* ifindex of the one for transport mode */
	char ifname[16];
	bool ours, made; /* of this pin directory; by this call */
};
/* Makes it, or takes the one that is there, whoever made it: sets it up, and forwarding as the host
 * has it. -errno: this kernel has none, or a stranger has our name for something else. */
int xfrm_dev_up(const char *pin_dir, struct xfrm_dev *out);
/* Harmless when there is none, or it is another's. */
void xfrm_dev_remove(const char *pin_dir);
/* 0 when BPF programs can call this function of the kernel or of a module (NULL: none) that is
 * loaded. */
int kfunc_find(const char *name, const char *module);

/* ---- spread.c: ESP of the kernel engine over several CPUs ------------------------------------ */
/* How many, and which, as configured; 0: it stays on the CPU that it came in on. */
uint32_t spread_choose(const struct gateway_conf *conf, const struct gw_port_conf *port,
		       const struct netdev *dev, bool native, uint16_t cpu[XS_SPREAD_MAX]);
/* Their rows in the map, or new ones in their place. -errno, and which CPU was refused: -ENXIO when
 * there is none of this number. */
int spread_put(int map_fd, int prog_fd, const uint16_t *cpu, uint32_t n, uint16_t *refused);

/* ---- bpffs.c: the pin directory --------------------------------------------------------- */
/* Makes the pin directory and its links/, mounting a bpffs on its parent when none is there (and
 * saying so). */
int bpffs_prepare(const char *pin_dir, struct loader_err *err);
/* Removes every pin under it and the directory; unmounts what bpffs_prepare mounted, when empty. */
int bpffs_remove(const char *pin_dir, struct loader_err *err);
bool bpffs_exists(const char *pin_dir);
/* Holds the pin directory against another loader until the descriptor is closed; -errno. */
int bpffs_lock(const char *pin_dir, struct loader_err *err);
/* "DIR/links/KIND-IFNAME" */
void bpffs_link_path(char path[LOADER_PATH_LEN], const char *pin_dir, const char *kind,
		     const char *ifname);
/* Each name in DIR/links, until fn returns non-zero. */
int bpffs_each_link(const char *pin_dir, int (*fn)(void *ctx, const char *name), void *ctx);

/* ---- object.c: the programs and their maps ---------------------------------------------- */
/* Opens the object with rows as configured; pin_dir NULL: nothing is pinned (tests). */
int object_open(struct xdpsec_bpf **skel, uint32_t sa_slots, uint32_t policies, const char *pin_dir,
		struct loader_err *err);
/* Loads it: verifier messages end up in err. */
int object_load(struct xdpsec_bpf *skel, struct loader_err *err);
/* The rows that say what these maps are: layout and ctl. Keeps what is there. */
int object_fill(struct xdpsec_bpf *skel, const struct gateway_conf *conf, struct loader_err *err);
/* A loaded program by name, owned by the skeleton; -ENOENT. */
int object_program(struct xdpsec_bpf *skel, const char *name);
/* Descriptors of the maps, owned by the skeleton. */
void object_map_fds(struct xdpsec_bpf *skel, int fd[XS_MAPS]);
/* Whether pinned maps can be taken over: -EPROTO and what to do when they cannot. */
int object_check_pinned(const char *pin_dir, uint32_t sa_slots, uint32_t policies,
			struct loader_err *err);
void object_close(struct xdpsec_bpf *skel);
/* Does this kernel let programs replace functions of others (the libxdp dispatcher)? 0 or -errno.
 */
int object_probe_freplace(void);
/* What libbpf said last, for error messages. */
const char *object_log(void);
void object_log_init(bool verbose);

/* ---- attach_xdp.c, attach_tc.c: pinned links --------------------------------------------- */
enum xdp_kind { XDP_KIND_NONE, XDP_KIND_LINK, XDP_KIND_DISPATCHER };
enum tc_kind { TC_KIND_NONE, TC_KIND_TCX, TC_KIND_CLSACT };

struct attached {
	enum xdp_kind xdp;
	bool native;
	uint32_t xdp_prog, xdp_link;
	enum tc_kind tc;
	uint32_t tc_prog;
};

/* One thing that was done, so that it can be undone. */
enum undo_kind {
	UNDO_XDP_NEW,
	UNDO_XDP_UPDATE,
	UNDO_XDP_MODE, /* detached from the other mode */
	UNDO_TC_NEW,
	UNDO_TC_UPDATE,
	UNDO_PORT,
	UNDO_RAMP,
	UNDO_XFRM_DEV,
};

struct undo {
	enum undo_kind kind;
	char ifname[16];
	uint32_t ifindex;
	int old_prog_fd; /* of an update; closed by journal_free */
};

struct journal {
	struct undo step[4 * XS_PORTS_MAX];
	uint32_t n;
};

void journal_add(struct journal *j, enum undo_kind kind, const char *ifname, uint32_t ifindex,
		 int old_prog_fd);
void journal_free(struct journal *j);

struct attach_ctx {
	const char *pin_dir;
	const struct gateway_conf *conf;
	struct journal *journal;
	bool dispatcher;  /* the kernel takes one */
	int native_error; /* why the last port got generic mode, or 0 */
	struct loader_err *err;
};

/* Attaches the program or puts it in the place of an older one, without a gap. */
int xdp_attach(struct attach_ctx *c, const struct gw_port_conf *port, const struct netdev *dev,
	       int prog_fd);
/* Harmless when nothing of ours is there. */
void xdp_detach(const char *pin_dir, const char *ifname, uint32_t ifindex);
void xdp_query(const char *pin_dir, const char *ifname, uint32_t ifindex, struct attached *out);
/* Puts an earlier program back; xdp_revert_mode also in the mode that the interface is not in now.
 */
void xdp_revert(const char *pin_dir, const char *ifname, int old_prog_fd);
void xdp_revert_mode(const char *pin_dir, const char *ifname, uint32_t ifindex, int old_prog_fd);

int tc_attach(struct attach_ctx *c, const struct gw_port_conf *port, const struct netdev *dev,
	      int prog_fd);
void tc_detach(const char *pin_dir, const char *ifname, uint32_t ifindex);
void tc_query(const char *pin_dir, const char *ifname, uint32_t ifindex, struct attached *out);
void tc_revert(const char *pin_dir, const char *ifname, uint32_t ifindex, int old_prog_fd);

/* ---- dispatcher.c: several programs on one interface by libxdp --------------------------- */
int dispatcher_attach(struct attach_ctx *c, const struct gw_port_conf *port,
		      const struct netdev *dev);
/* The id of our program behind a dispatcher there, 0 when there is none. */
uint32_t dispatcher_query(const char *pin_dir, uint32_t ifindex, bool *native);
void dispatcher_detach(const char *pin_dir, uint32_t ifindex);

/* ---- commands ----------------------------------------------------------------------------- */
struct loader_opts {
	const char *pin_dir;
	bool json;
	bool single; /* no dispatcher even where one could be had */
	bool verbose;
};

int cmd_load(const struct gateway_conf *conf, const struct loader_opts *o, struct loader_err *err);
int cmd_unload(const struct loader_opts *o, struct loader_err *err);
int cmd_status(const struct loader_opts *o, struct loader_err *err);
/* Compares sa_in with the kernel's states; differences are printed, and -ENOENT. */
int cmd_self_test(const struct loader_opts *o, struct loader_err *err);
int cmd_probe(const struct loader_opts *o, struct loader_err *err);

/* ---- json.c -------------------------------------------------------------------------------- */
/* A string in quotes, escaped. */
void json_string(const char *s);
