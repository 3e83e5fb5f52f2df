/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct control;

/* The operations, by noun; each as struct operation's run says. */

int operation_status(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_workers(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_counters(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_drain(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_drains(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_target_drain(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_target_undrain(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_node_drain(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_node_undrain(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_ready(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_list(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_alarms(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_alarms_history(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_alarms_follow(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_connections(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_connection_close(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_calls(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_trace(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_targets(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_target_set(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_profiles(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_profile_get(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_profile_set(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_numbers(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_numbers_begin(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_numbers_add(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_numbers_commit(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_numbers_abort(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_number_set(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_certificates(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_certificates_reload(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_resolve(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_apply(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_export(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_route(struct control *c, const json_t *params, json_t **ret_result, char *error);

int operation_config_log(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_config_show(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_config_diff(struct control *c, const json_t *params, json_t **ret_result, char *error);
int operation_config_rollback(struct control *c, const json_t *params, json_t **ret_result, char *error);
