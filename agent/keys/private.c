/* SPDX-License-Identifier: BSD-2-Clause */
#include "private.h"

#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder and the kind of secret that holds passphrases for it have the same name. */
static const struct folder {
	const char *name;
	uint32_t types; /* bits 1 << enum sig_key_type; 0: all */
} folders[] = {
	{"private", 0},
	{"rsa", 1u << SIG_KEY_RSA | 1u << SIG_KEY_RSA_PSS},
	{"ecdsa", 1u << SIG_KEY_EC},
	{"pkcs8", 0},
};

struct loading {
	struct private_list *list;
	const struct store *store;
	const struct folder *folder;
	char dir[SETTINGS_PATH_MAX];
	unsigned int n;
	char *err;
	size_t errlen;
};

static int bad(struct loading *l, const char *file, const char *text)
{
	snprintf(l->err, l->errlen, "%s/%s: %s", l->dir, file, text);
	return -EINVAL;
}

static const struct store_passphrase *passphrase_of(const struct store *s, const char *kind,
						    const char *file)
{
	const struct store_passphrase *p;

	TAILQ_FOREACH (p, &s->passphrases, next)
		if (!strcmp(p->kind, kind) && !strcmp(p->file, file))
			return p;
	return NULL;
}

/* All of a file into locked memory. */
static int file_read(struct loading *l, const char *name, int fd, struct secret *out)
{
	struct stat st;
	size_t at = 0;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return bad(l, name, "not a file");
	if (st.st_size <= 0 || st.st_size > PRIVATE_FILE_MAX)
		return bad(l, name, st.st_size <= 0 ? "empty" : "too large for a private key");
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		log_line(LOG_DAEMON, 0, "%s/%s: others than its owner may read or write this private key: chmod 600",
			 l->dir, name);
	if (secret_new(out, (size_t)st.st_size))
		return bad(l, name, "out of memory");
	while (at < out->n) {
		ssize_t n = read(fd, out->p + at, out->n - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return bad(l, name, n < 0 ? strerror(errno) : "it became shorter while it was read");
		at += (size_t)n;
	}
	return 0;
}

/* Why it did not open, and what helps. */
static int not_opened(struct loading *l, const char *name, int error, bool has_passphrase)
{
	char text[256];

	switch (error) {
	case -EACCES:
		if (has_passphrase)
			return bad(l, name, "the passphrase in the secrets section is wrong");
		snprintf(text, sizeof(text),
			 "encrypted: add secrets { %s-1 { file = %.100s, secret = ... } } on lines of their own",
			 l->folder->name, name);
		return bad(l, name, text);
	case -ENOTSUP:
		return bad(l, name, "a private key of a kind or curve that is not supported: RSA, ECDSA P-256, "
				    "P-384, P-521 or brainpool, Ed25519, Ed448");
	case -EKEYREJECTED:
		return bad(l, name, "this key is too weak: RSA needs 2048 to 8192 bits; make a new one");
	case -EBADMSG:
		return bad(l, name, "no private key in PEM or DER, PKCS#8 or traditional form: move the file "
				    "away or convert it with openssl pkcs8 -topk8");
	default:
		return bad(l, name, strerror(-error));
	}
}

static int open_key(struct loading *l, const char *name, struct slice bytes, struct sig_key **key)
{
	const struct store_passphrase *p = passphrase_of(l->store, l->folder->name, name);
	int r = sig_private_load(bytes, p ? (const char *)p->text.p : NULL, key);

	if (r)
		return not_opened(l, name, r, p != NULL);
	if (l->folder->types && !(l->folder->types & 1u << sig_private_info(*key)->type)) {
		sig_private_free(*key);
		return bad(l, name, "a key of another type than the folder: move it to private");
	}
	return 0;
}

static int key_add(struct loading *l, const char *name, struct sig_key *key)
{
	struct private_key *k;

	if (private_find(l->list, sig_private_info(key)->id)) {
		sig_private_free(key); /* the same key under two names */
		return 0;
	}
	k = l->n < PRIVATE_KEYS_MAX ? calloc(1, sizeof(*k)) : NULL;
	if (!k) {
		sig_private_free(key);
		return bad(l, name, l->n < PRIVATE_KEYS_MAX ? "out of memory" : "too many private keys");
	}
	k->key = key;
	snprintf(k->file, sizeof(k->file), "%s/%.100s", l->folder->name, name);
	TAILQ_INSERT_TAIL(l->list, k, next);
	l->n++;
	return 0;
}

static int file_load(struct loading *l, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct secret bytes = {0};
	struct sig_key *key;
	int r;

	if (fd < 0)
		return bad(l, name, strerror(errno));
	r = file_read(l, name, fd, &bytes);
	close(fd);
	if (!r)
		r = open_key(l, name, secret_slice(&bytes), &key);
	secret_free(&bytes);
	return r ? r : key_add(l, name, key);
}

static int folder_load(struct loading *l)
{
	struct dirent **names;
	int n, r = 0, dir = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0) {
		snprintf(l->err, l->errlen, "%s: %s", l->dir, strerror(errno));
		return -EINVAL;
	}
	n = scandirat(dir, ".", &names, NULL, alphasort);
	if (n < 0) {
		snprintf(l->err, l->errlen, "%s: %s", l->dir, strerror(errno));
		close(dir);
		return -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		if (!r && names[i]->d_name[0] != '.')
			r = file_load(l, dir, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	close(dir);
	return r;
}

/* A passphrase for a file that is not there is a mistake in a name. */
static int passphrases_check(struct loading *l, const char *base)
{
	const struct store_passphrase *p;
	char path[SETTINGS_PATH_MAX + 320];

	TAILQ_FOREACH (p, &l->store->passphrases, next) {
		snprintf(path, sizeof(path), "%s/%s/%s", base, p->kind, p->file);
		if (access(path, F_OK) == 0)
			continue;
		snprintf(l->err, l->errlen, "%s: secrets.%s has a passphrase for it: %s", path, p->name,
			 strerror(errno));
		return -EINVAL;
	}
	return 0;
}

int private_load(struct private_list *list, const struct store *s, const char *conf_path, char *err,
		 size_t errlen)
{
	struct loading l = {.list = list, .store = s, .err = err, .errlen = errlen};
	const char *slash = strrchr(conf_path, '/');
	char base[SETTINGS_PATH_MAX - 16];
	int r = 0;

	TAILQ_INIT(list);
	snprintf(base, sizeof(base), "%.*s", slash ? (int)(slash - conf_path) : 1, slash ? conf_path : ".");
	for (size_t i = 0; !r && i < sizeof(folders) / sizeof(*folders); i++) {
		l.folder = &folders[i];
		snprintf(l.dir, sizeof(l.dir), "%s/%s", base, folders[i].name);
		r = folder_load(&l);
	}
	if (!r)
		r = passphrases_check(&l, base);
	if (r)
		private_free(list);
	return r;
}

const struct private_key *private_find(const struct private_list *list,
				       const uint8_t id[SIG_KEY_ID_LEN])
{
	const struct private_key *k;

	TAILQ_FOREACH (k, list, next)
		if (secret_equal(sig_private_info(k->key)->id, id, SIG_KEY_ID_LEN))
			return k;
	return NULL;
}

void private_free(struct private_list *list)
{
	struct private_key *k;

	while ((k = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, k, next);
		sig_private_free(k->key);
		free(k);
	}
}
