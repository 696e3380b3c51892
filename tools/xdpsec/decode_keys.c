/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include <errno.h>
#include <stdlib.h>

enum { KEYS_MAX = 65536 };

static void *grown(void *list, unsigned int n, size_t size)
{
	if (n >= KEYS_MAX)
		return NULL;
	return n && (n & (n - 1)) ? list : realloc(list, (n ? 2 * n : 1) * size);
}

int keys_add(struct decode_keys *k, const char *line)
{
	struct ike_key ike;
	struct esp_key esp;
	void *list;
	int err = keylog_read_ike(line, &ike);

	if (err == 0) {
		list = grown(k->ike, k->n_ike, sizeof(ike));
		if (!list) {
			ike_key_free(&ike);
			return -ENOMEM;
		}
		k->ike = list;
		k->ike[k->n_ike++] = ike;
		return 0;
	}
	/* eight fields, too: what is no SPI of IKE may be a line of ESP */
	if (err != -EINVAL)
		return err;
	err = keylog_read_esp(line, &esp);
	if (err)
		return err;
	list = grown(k->esp, k->n_esp, sizeof(esp));
	if (!list) {
		esp_key_free(&esp);
		return -ENOMEM;
	}
	k->esp = list;
	k->esp[k->n_esp++] = esp;
	return 0;
}

static const char *why(int err)
{
	switch (err) {
	case -EBADMSG:
		return "a key has not the length that its algorithm wants";
	case -ENOTSUP:
		return "an algorithm that is not known";
	case -ENOMEM:
		return "too many keys";
	default:
		return "neither a line of ikev2_decryption_table nor of esp_sa";
	}
}

int keys_load(struct decode_keys *k, const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;
	char *line = NULL;
	size_t cap = 0;
	int ret = 0;

	if (!f) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return -1;
	}
	while (ret == 0 && getline(&line, &cap, f) > 0) {
		n++;
		line[strcspn(line, "\r\n")] = '\0';
		if (line[strspn(line, " \t")] == '#' || !line[strspn(line, " \t")])
			continue;
		ret = keys_add(k, line);
		if (ret)
			snprintf(err, errlen, "%s:%lu: %s", path, n, why(ret));
	}
	if (line)
		secret_wipe(line, cap);
	free(line);
	fclose(f);
	return ret ? -1 : 0;
}

void keys_free(struct decode_keys *k)
{
	for (unsigned int i = 0; i < k->n_ike; i++)
		ike_key_free(&k->ike[i]);
	for (unsigned int i = 0; i < k->n_esp; i++)
		esp_key_free(&k->esp[i]);
	free(k->ike);
	free(k->esp);
	*k = (struct decode_keys){0};
}

const struct ike_key *keys_of_ike(const struct decode_keys *k, uint64_t spi_i, uint64_t spi_r)
{
	for (unsigned int i = 0; k && i < k->n_ike; i++)
		if (k->ike[i].spi_i == spi_i && k->ike[i].spi_r == spi_r)
			return &k->ike[i];
	return NULL;
}

const struct esp_key *keys_of_esp(const struct decode_keys *k, uint32_t spi, const struct frame *f)
{
	for (unsigned int i = 0; k && i < k->n_esp; i++) {
		const struct esp_key *e = &k->esp[i];

		if (e->spi != spi)
			continue;
		if (f->addressed && ((e->from.family && !addr_equal(&e->from, &f->from.ip)) ||
				     (e->to.family && !addr_equal(&e->to, &f->to.ip))))
			continue;
		return e;
	}
	return NULL;
}
