/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_env.h"

/* Which engine takes a child, and what is said when none does; on whatever kernel this runs. */

static struct engine_pick picked;

static int pick(enum conf_engine engine, const struct conf_kernel *needs, const struct child_suite *suite)
{
	struct child_conf conf = env_child_conf;
	const struct engine_want want = {.conf = &conf, .engine = engine, .suite = suite};

	if (needs)
		conf.kernel = *needs;
	return engine_pick(env.e, &want, &picked);
}

static void assert_says(const char *text)
{
	if (!strstr(picked.why, text))
		fail_msg("says '%s', not '%s'", picked.why, text);
}

static void auto_takes_the_dataplane_that_is_there(void **state)
{
	(void)state;
	ENV_NEEDED();
	assert_int_equal(pick(CONF_ENGINE_AUTO, NULL, NULL), 0);
	assert_string_equal(picked.engine, "dataplane");
	assert_says("auto: a dataplane is connected");
	assert_int_equal(pick(CONF_ENGINE_DATAPLANE, NULL, &env_suite), 0);
	assert_says("engine = dataplane");
	/* what the gateway says holds for who says nothing */
	engine_set_standard(env.e, GW_ENGINE_DATAPLANE);
	assert_int_equal(pick(CONF_ENGINE_DEFAULT, NULL, NULL), 0);
	assert_says("engine = dataplane");
}

static void without_a_dataplane_the_message_is_the_old_one(void **state)
{
	int err;

	(void)state;
	ENV_NEEDED();
	env_plane_down(true);
	assert_int_equal(pick(CONF_ENGINE_DATAPLANE, NULL, NULL), -ENOTCONN);
	assert_string_equal(picked.why, "no dataplane is connected, CHILD_SAs cannot be installed");
	assert_string_equal(picked.engine, "none");
	err = pick(CONF_ENGINE_AUTO, NULL, NULL);
	if (engine_kernel_ready(env.e)) {
		assert_int_equal(err, 0);
		assert_string_equal(picked.engine, "kernel");
		assert_says("auto: no dataplane is connected");
		return;
	}
	assert_int_equal(err, -ENOTCONN);
	assert_string_equal(picked.why, "no dataplane is connected, CHILD_SAs cannot be installed");
}

static void the_kernel_is_named_with_what_it_lacks(void **state)
{
	int err;

	(void)state;
	ENV_NEEDED();
	err = pick(CONF_ENGINE_KERNEL, NULL, NULL);
	if (engine_kernel_ready(env.e)) {
		assert_int_equal(err, 0);
		assert_says("engine = kernel");
		return;
	}
	assert_int_equal(err, -EOPNOTSUPP);
	assert_says("child net wants engine kernel, but ");
	assert_says(engine_kernel_why_not(env.e));
	assert_true(strlen(engine_kernel_why_not(env.e)) > 0);
}

static void what_only_the_kernel_does_is_the_kernels(void **state)
{
	const struct conf_kernel needs = {.mark_out = {.value = 1, .mask = 1}};
	int err;

	(void)state;
	ENV_NEEDED();
	err = pick(CONF_ENGINE_AUTO, &needs, NULL);
	if (engine_kernel_ready(env.e)) {
		assert_int_equal(err, 0);
		assert_string_equal(picked.engine, "kernel");
		assert_says("auto: only the kernel does mark_out");
		return;
	}
	assert_int_equal(err, -EOPNOTSUPP);
	assert_says("child net needs engine kernel for mark_out, but ");
}

static void what_nobody_can_do_is_refused(void **state)
{
	const struct child_suite ah = {.integ = 12, .ah = true};
	const struct child_suite strange = {.encr = 999, .encr_bits = 128};

	(void)state;
	ENV_NEEDED();
	assert_int_equal(pick(CONF_ENGINE_DATAPLANE, NULL, &ah), -EOPNOTSUPP);
	assert_says("child net wants engine dataplane, but the dataplane has no AH");
	env_until(&env.events[ENGINE_UP], 1);
	env_run(); /* it has said what it can */
	assert_int_equal(pick(CONF_ENGINE_AUTO, NULL, &strange), -EOPNOTSUPP);
}

/* A pair keeps the engine that took its first half, and tells it. */
static void a_pair_says_who_has_it(void **state)
{
	struct engine_info info;
	struct env_sa s;

	(void)state;
	ENV_NEEDED();
	env_up(&s, "gw", "10.2.0.0");
	assert_int_equal(engine_of(env.e, s.sa), CONF_ENGINE_DATAPLANE);
	assert_int_equal(engine_info_get(env.e, s.sa, &info), 0);
	assert_string_equal(info.engine, "dataplane");
	assert_string_equal(info.why, "engine = dataplane");
	assert_int_equal(info.reqid, 5);
	engine_remove(env.e, s.sa, false);
	assert_int_equal(engine_info_get(env.e, s.sa, &info), -ENOENT);
	assert_int_equal(engine_of(env.e, s.sa), CONF_ENGINE_DEFAULT);
}

/* Marks, and no kernel that knows them: nothing is trapped in the classifier, which would take all traffic. */
static void a_trap_of_marks_has_no_rows(void **state)
{
	struct conn_conf conn = {.name = "gw"};
	struct child_conf child = env_child_conf;
	struct ts_list all = {0};
	int err;

	(void)state;
	ENV_NEEDED();
	env_ts(&all, "0.0.0.0", 0);
	child.kernel.mark_out = (struct conf_mark){.value = 1, .mask = 1};
	err = engine_trap(env.e, &conn, &child, &all, &all);
	assert_int_equal(err, engine_kernel_ready(env.e) ? 0 : -EOPNOTSUPP);
	assert_int_equal(env_policies().n, 0);
	assert_int_equal(engine_untrap(env.e, "gw", "net"), err ? -ENOENT : 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(auto_takes_the_dataplane_that_is_there, env_setup, env_teardown),
		cmocka_unit_test_setup_teardown(without_a_dataplane_the_message_is_the_old_one, env_setup, env_teardown),
		cmocka_unit_test_setup_teardown(the_kernel_is_named_with_what_it_lacks, env_setup, env_teardown),
		cmocka_unit_test_setup_teardown(what_only_the_kernel_does_is_the_kernels, env_setup, env_teardown),
		cmocka_unit_test_setup_teardown(what_nobody_can_do_is_refused, env_setup, env_teardown),
		cmocka_unit_test_setup_teardown(a_pair_says_who_has_it, env_setup, env_teardown),
		cmocka_unit_test_setup_teardown(a_trap_of_marks_has_no_rows, env_setup, env_teardown),
	};

	(void)argc;
	env_init(argv[0]);
	return cmocka_run_group_tests_name("engine_choice", tests, NULL, NULL);
}
