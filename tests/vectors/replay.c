/* SPDX-License-Identifier: BSD-2-Clause */
#include "vectors.h"

#include "dataplane/replay.h"

/*
 * Numbers against an anti-replay window, as esp_open does it: the packet carries the low half, the window tells the
 * high one; where that is not the sender's, the tag would be wrong and the window stays.
 */
static const char *one(struct replay *r, uint64_t seq, uint64_t *seen)
{
	*seen = replay_expand(r, (uint32_t)seq);
	if (!replay_check(r, *seen))
		return "replay";
	if (*seen != seq)
		return "high";
	return replay_mark(r, *seen) ? "accept" : "replay";
}

static json_t *run(struct vec_in *in)
{
	const json_t *list = json_object_get(in->o, "seq"), *value;
	bool esn = vec_flag(in, "esn", false);
	uint32_t window = (uint32_t)vec_uint(in, "window", UINT32_MAX, 64);
	uint64_t max = esn ? UINT64_MAX : UINT32_MAX, seen;
	json_t *results, *expanded;
	struct replay r;
	size_t i;

	if (!json_is_array(list))
		return vec_fail(in, "seq: not a list");
	if (replay_init(&r, window, esn) < 0)
		return vec_fail(in, "window: 0 or 32 to %d", REPLAY_WINDOW_MAX);
	if (in->error[0])
		return NULL;
	results = json_array();
	expanded = json_array();
	json_array_foreach(list, i, value) {
		const char *result = one(&r, vec_uint_of(in, value, "seq", max), &seen);

		json_array_append_new(results, json_string(result));
		json_array_append_new(expanded, vec_number_new(seen));
	}
	return json_pack("{s:o, s:o, s:o}", "result", results, "seen", expanded, "top", vec_number_new(r.top));
}

const struct vec_op vec_replay = {"replay", "window esn seq", run};
