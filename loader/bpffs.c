// SPDX-License-Identifier: BSD-2-Clause
#include "loader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* By this the mounts are known that bpffs_prepare made. */
#define MOUNT_SOURCE "xdpsec"

int loader_fail(struct loader_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static void parent_of(const char *pin_dir, char *to, size_t n)
{
	size_t len = strlen(pin_dir);
	char *slash;

	while (len > 1 && pin_dir[len - 1] == '/')
		len--;
	snprintf(to, n, "%.*s", (int)len, pin_dir);
	slash = strrchr(to, '/');
	if (slash)
		slash[slash == to] = 0;
}

static int make_dirs(const char *path)
{
	char part[LOADER_PATH_LEN];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	strcpy(part, path);
	for (char *p = part + 1;; p++) {
		char was = *p;

		if (was && was != '/')
			continue;
		*p = 0;
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*p = was;
		if (!was)
			return 0;
	}
}

/* A kernel with preloaded iterators puts these into each new bpffs. */
static bool is_preloaded(const char *name)
{
	return !strcmp(name, "maps.debug") || !strcmp(name, "progs.debug");
}

static bool dir_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!d)
		return false;
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && !is_preloaded(e->d_name);
	closedir(d);
	return !n;
}

static int mount_parent(const char *pin_dir, struct loader_err *err)
{
	char parent[LOADER_PATH_LEN];
	int e;

	parent_of(pin_dir, parent, sizeof(parent));
	if (on_bpffs(parent))
		return 0;
	e = make_dirs(parent);
	if (e)
		return loader_fail(err, e, "%s: cannot be made: %s", parent, strerror(-e));
	if (on_bpffs(parent))
		return 0;
	if (!dir_empty(parent))
		return loader_fail(err, -ENOTEMPTY,
				   "%s is no BPF file system and not empty: choose a pin_dir whose "
				   "parent is one, such as /sys/fs/bpf/xdpsec",
				   parent);
	if (mount(MOUNT_SOURCE, parent, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755"))
		return loader_fail(err, -errno, "%s: a BPF file system cannot be mounted: %s",
				   parent, strerror(errno));
	fprintf(stderr, "xdpsec-loader: mounted a BPF file system on %s\n", parent);
	return 0;
}

int bpffs_prepare(const char *pin_dir, struct loader_err *err)
{
	char links[LOADER_PATH_LEN];
	int e;

	if (pin_dir[0] != '/' || strlen(pin_dir) >= GW_PATH_MAX)
		return loader_fail(err, -EINVAL, "%s: the pin directory must be an absolute path",
				   pin_dir);
	e = mount_parent(pin_dir, err);
	if (e)
		return e;
	snprintf(links, sizeof(links), "%s/links", pin_dir);
	e = make_dirs(links);
	return e ? loader_fail(err, e, "%s: %s", links, strerror(-e)) : 0;
}

bool bpffs_exists(const char *pin_dir)
{
	return on_bpffs(pin_dir);
}

int bpffs_lock(const char *pin_dir, struct loader_err *err)
{
	int fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return loader_fail(err, -errno, "%s: %s", pin_dir, strerror(errno));
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	loader_fail(err, -EBUSY, "%s: another xdpsec-loader is at work", pin_dir);
	close(fd);
	return -EBUSY;
}

void bpffs_link_path(char path[LOADER_PATH_LEN], const char *pin_dir, const char *kind,
		     const char *ifname)
{
	snprintf(path, LOADER_PATH_LEN, "%s/links/%s-%s", pin_dir, kind, ifname);
}

static int each_name(const char *dir, int (*fn)(void *ctx, const char *name), void *ctx)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort), ret = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (!ret && strcmp(list[i]->d_name, ".") && strcmp(list[i]->d_name, ".."))
			ret = fn(ctx, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return ret;
}

int bpffs_each_link(const char *pin_dir, int (*fn)(void *ctx, const char *name), void *ctx)
{
	char links[LOADER_PATH_LEN];

	snprintf(links, sizeof(links), "%s/links", pin_dir);
	return each_name(links, fn, ctx);
}

static int remove_one(void *ctx, const char *name)
{
	char path[LOADER_PATH_LEN + 64];

	snprintf(path, sizeof(path), "%s/%s", (const char *)ctx, name);
	if (unlink(path) && errno != EISDIR && errno != EPERM && errno != ENOENT)
		return -errno;
	return 0;
}

/* A mount of ours has our name as its source in mountinfo: "... - bpf xdpsec rw". */
static bool mounted_by_us(const char *path)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[1024], at[512], rest[512];
	bool ours = false;

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		char *dash = strstr(line, " - ");

		if (!dash || sscanf(line, "%*s %*s %*s %*s %511s", at) != 1 || strcmp(at, path))
			continue;
		ours = sscanf(dash, " - bpf %511s", rest) == 1 && !strcmp(rest, MOUNT_SOURCE);
	}
	fclose(f);
	return ours;
}

int bpffs_remove(const char *pin_dir, struct loader_err *err)
{
	char links[LOADER_PATH_LEN], parent[LOADER_PATH_LEN], libxdp[LOADER_PATH_LEN + 8];
	int e;

	snprintf(links, sizeof(links), "%s/links", pin_dir);
	e = each_name(links, remove_one, links);
	if (e && e != -ENOENT)
		return loader_fail(err, e, "%s: %s", links, strerror(-e));
	if (rmdir(links) && errno != ENOENT)
		return loader_fail(err, -errno, "%s: %s", links, strerror(errno));
	e = each_name(pin_dir, remove_one, (void *)pin_dir);
	if (e)
		return loader_fail(err, e, "%s: %s", pin_dir, strerror(-e));
	if (rmdir(pin_dir))
		return loader_fail(err, -errno, "%s: %s", pin_dir, strerror(errno));
	parent_of(pin_dir, parent, sizeof(parent));
	/* libxdp's own directory, which it leaves behind empty. */
	snprintf(libxdp, sizeof(libxdp), "%s/xdp", parent);
	rmdir(libxdp);
	if (mounted_by_us(parent) && dir_empty(parent))
		umount(parent);
	return 0;
}
