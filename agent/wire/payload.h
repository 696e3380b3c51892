/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "msg.h"

/*
 * Decoders of payload bodies, for the table in msg.c. Each reads `r`, which holds exactly the body
 * and at least the smallest one of its row. Running short or leaving bytes over is seen by the
 * caller: a decoder reports only what its own rules forbid.
 */
enum wire_err wire_get_sa(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_ke(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_id_i(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_id_r(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_cert(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_certreq(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_auth(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_nonce(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_notify(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_delete(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_vendor(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_ts_i(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_ts_r(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_sk(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_cp(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_eap(struct rd *r, struct ike_msg *m);
enum wire_err wire_get_skf(struct rd *r, struct ike_msg *m);
