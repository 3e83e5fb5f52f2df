/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "alarms/alarm_log.h"
#include "alarms/alarms.h"
#include "alarms/alarms_json.h"
#include "alarms/watch.h"
#include "api/control.h"
#include "api/operations_load.h"
#include "api/rpc.h"
#include "api/server.h"
#include "base/err.h"
#include "base/random.h"
#include "cdr.h"
#include "certs/certificates.h"
#include "certs/peers.h"
#include "config.h"
#include "dataplane.h"
#include "error.h"
#include "health/ejections.h"
#include "health/limits.h"
#include "health/prober.h"
#include "health/quality.h"
#include "kernel.h"
#include "log.h"
#include "model/number_map.h"
#include "model/publish.h"
#include "model/state.h"
#include "naming.h"
#include "privileges.h"
#include "reload.h"
#include "resolve/resolver.h"
#include "routing.h"
#include "routing_versions.h"
#include "shutdown.h"
#include "tables/epoch.h"
#include "tables/loads.h"
#include "tables/tables.h"
#include "tls/tls.h"
#include "token_keys.h"

#define RECLAIM_MS 5
#define ALARMS_MAX 4096
#define SEEN_MAX   512 /* certificates of others that are taken in one turn */
#define EVENTS_MAX 2048 /* the history of alarms */

struct daemon {
	const struct config *config;
	struct event_base *base;
	struct event *second, *reclaim, *watchdog, *doorbell, *more, *signals[3];
	struct dataplane *dataplane;
	struct kernel *kernel;
	struct cdr *cdr;
	struct alarms *alarms;
	struct limits *limits;
	struct watch *watch;
	struct prober *prober;
	struct ejections *ejections;
	struct quality *quality;
	struct naming *naming;
	struct certificates *certificates;
	struct routing routing;
	struct control control;
	struct server *server;
	struct shutdown *shutdown;
};

static void arm(struct event *e, unsigned ms)
{
	const struct timeval after = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(e, &after);
}

/* Retired objects are released soon after the workers have let go; the timer runs only while something waits. */
static void on_reclaim(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	if (epoch_reclaim(dataplane_tables(d->dataplane)->epoch))
		arm(d->reclaim, RECLAIM_MS);
}

static void on_changed(void *ctx)
{
	struct daemon *d = ctx;

	naming_follow(d->naming);
	prober_follow(d->prober, &d->routing);
	peers_sweep(certificates_peers(d->certificates), d->routing.expanded, dataplane_now_ms());
	dataplane_recount(d->dataplane); /* where that fails the workers do it by themselves, later */
	arm(d->reclaim, RECLAIM_MS);
}

/* The data plane has something for this thread. At a bound the rest is taken in the loop's next turn, so that nobody else is kept waiting. */
static void on_doorbell(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	bool more = kernel_take(d->kernel);

	more |= cdr_take(d->cdr);
	more |= prober_take(d->prober, dataplane_now_ms());
	if (more)
		arm(d->more, 0);
}

static void look_at_certificates(struct daemon *d)
{
	struct tls_seen seen;

	for (unsigned n = 0; n < SEEN_MAX && dataplane_tls_seen(d->dataplane, &seen); n++)
		certificates_seen(d->certificates, &seen);
	certificates_second(d->certificates, d->routing.expanded, dataplane_now_ms());
}

static void on_second(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	uint64_t calls = 0;

	for (unsigned w = 0; w < d->config->dataplane.workers; w++) {
		dataplane_gauges(d->dataplane, w, &d->control.gauges[w]);
		calls += d->control.gauges[w].live_calls;
	}
	on_reclaim(-1, 0, d); /* the kernel mirror publishes too */
	prober_follow(d->prober, &d->routing); /* a change that failed may have moved endpoints to other slots */
	quality_look(d->quality, dataplane_now_ms());
	limits_look(d->limits, &d->routing, dataplane_now_ms());
	if (cdr_second(d->cdr))
		arm(d->more, 0);
	look_at_certificates(d);
	watch_second(d->watch, &d->control);
	sd_notifyf(0, "STATUS=%s, %llu live calls", d->control.draining ? "draining" : "running", (unsigned long long)calls);
}

static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
	sd_notify(0, "WATCHDOG=1");
}

static void on_stop(evutil_socket_t number, short what, void *ctx)
{
	shutdown_go(((struct daemon *)ctx)->shutdown);
}

static void on_hangup(evutil_socket_t number, short what, void *ctx)
{
	struct daemon *d = ctx;

	cdr_reopen(d->cdr);
	reload_file(&d->control);
}

static bool target_idle(void *ctx, uint32_t slot)
{
	struct daemon *d = ctx;
	struct target_stats s;

	dataplane_target_stats(d->dataplane, slot, &s);
	return !s.live && !s.ringing && !loads_calls(dataplane_tables(d->dataplane)->loads, slot);
}

static void target_reset(void *ctx, uint32_t slot)
{
	struct daemon *d = ctx;

	dataplane_target_stats_reset(d->dataplane, slot);
}

/* Workers inherit the mask: the signals are the control thread's. */
static void block_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(how, &set, NULL);
}

static void tell_alarm(void *ctx, const struct alarm_event *e)
{
	const struct daemon *d = ctx;
	char *line = alarm_event_line(e);

	if (line)
		server_tell(d->server, line);
	free(line);
}

static int start_alarms(struct daemon *d, char *error)
{
	d->alarms = alarms_new(ALARMS_MAX, EVENTS_MAX);
	d->watch = watch_new(&d->config->watch, d->config->dataplane.workers);
	if (!d->watch || !d->alarms || alarms_listen(d->alarms, alarm_log, NULL) || alarms_listen(d->alarms, tell_alarm, d))
		return error_set(error, -ERR_NOMEM, "out of memory");
	return 0;
}

static int start_dataplane(struct daemon *d, char *error)
{
	struct dataplane_config config = d->config->dataplane;
	int err;

	err = token_keys_load(d->config->token_key_file, &config.token_keys, error);

	if (err)
		return err;
	if (d->config->cdr.path[0])
		err = cdr_file_directory(d->config->cdr.path, error);
	if (err)
		return err;
	random_secret(&config.boot, sizeof(config.boot));
	config.admission = ADMIT_NOTHING;
	block_signals(SIG_BLOCK);
	err = dataplane_start(&config, &d->dataplane, error);
	block_signals(SIG_UNBLOCK);
	if (err && geteuid() != 0)
		error_prefix(error, "not run as root (it needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK and, for AF_XDP, CAP_BPF)");
	return err;
}

static int start_certificates(struct daemon *d, char *error)
{
	const struct certificates_setup setup = { .base = d->base, .config = &d->config->tls, .store = dataplane_tls(d->dataplane), .alarms = d->alarms };

	d->certificates = certificates_new(&setup, error);
	return d->certificates ? 0 : -ERR_INVALID;
}

static uint32_t tls_peer(void *ctx, const struct model_trunk *t, const struct model_endpoint *e)
{
	return peers_id(certificates_peers(((struct daemon *)ctx)->certificates), t, e);
}

static int check_peers(void *ctx, const struct model *from, const struct model *to, char *error)
{
	return peers_check(certificates_peers(((struct daemon *)ctx)->certificates), from, to, error);
}

static int start_names(struct daemon *d, char *error)
{
	const struct naming_setup setup = { .base = d->base, .config = d->config, .alarms = d->alarms, .routing = &d->routing,
					    .changed = on_changed, .ctx = d };

	d->naming = naming_new(&setup, error);
	return d->naming ? 0 : -ERR_IO;
}

static int start_routing(struct daemon *d, char *error)
{
	const struct publish_hooks hooks = { target_idle, target_reset, d, TARGET_SLOTS_MAX, d->config->region, tls_peer, d };
	struct publisher *publisher = publisher_new(dataplane_tables(d->dataplane), &hooks, &d->config->number_plan);
	struct state *state = d->config->state_file[0] ? state_new(d->config->state_file) : NULL;
	bool from_state;
	int err;

	if (!publisher || (d->config->state_file[0] && !state)) {
		publisher_free(publisher);
		state_free(state);
		return error_set(error, -ERR_NOMEM, "out of memory");
	}
	err = routing_init(&d->routing, publisher, state, &d->config->limits, error);
	d->routing.check = check_peers;
	d->routing.check_ctx = d;
	if (!err)
		err = routing_remember(&d->routing, d->config->dataplane.limits.call_age_s, error);
	if (!err && (!state || access(d->config->state_file, F_OK) != 0)) /* else it has the numbers */
		err = config_load_numbers(d->config, error);
	if (!err)
		err = routing_versions_open(&d->routing, d->config->state_file, &d->config->versions, d->alarms, error);
	if (!err) {
		const struct names names = resolver_names(naming_resolver(d->naming));

		routing_resolve_by(&d->routing, &names);
		err = routing_begin(&d->routing, d->config->routing, &from_state, error);
	}
	if (!err)
		err = routing_versions_start(&d->routing, &d->config->versions, d->alarms, error);
	if (err)
		return err;
	dataplane_admit(d->dataplane, ADMIT_DIALOGS);
	if (from_state)
		log_line(LOG_LEVEL_NOTICE, "routing comes from %s; the routing sections of %s are not used", d->config->state_file,
			 d->config->path);
	log_line(LOG_LEVEL_INFO, "%u trunks, %u profiles, %u numbers, %u prefixes, %u domains in force", d->routing.model->trunk_count,
		 d->routing.model->profile_count, number_map_count(d->routing.model->numbers), number_map_count(d->routing.model->prefixes),
		 d->routing.model->domain_count);
	return 0;
}

static void on_record(void *ctx, const struct call_record *record)
{
	quality_take(((struct daemon *)ctx)->quality, record);
}

static int start_records(struct daemon *d, char *error)
{
	d->quality = quality_new(&d->config->quality, dataplane_tables(d->dataplane)->trunks, d->alarms);
	if (!d->quality)
		return error_set(error, -ERR_NOMEM, "out of memory");
	if (cdr_new(d->dataplane, &d->config->cdr, &d->cdr, error))
		return -ERR_IO;
	cdr_listen(d->cdr, on_record, d);
	return 0;
}

static int start_probes(struct daemon *d, char *error)
{
	d->prober = prober_new(d->base, d->dataplane, &d->config->probe);
	d->ejections = ejections_new(d->base, d->dataplane, d->alarms);
	d->limits = limits_new(d->dataplane, d->alarms);
	if (!d->prober || !d->ejections || !d->limits)
		return error_set(error, -ERR_NOMEM, "out of memory");
	prober_follow(d->prober, &d->routing);
	return 0;
}

static int start_kernel(struct daemon *d, char *error)
{
	const struct kernel_config config = { .base = d->base, .dataplane = d->dataplane, .ports = d->config->ports };
	int err = kernel_new(&config, &d->kernel, error);

	if (err)
		return err;
	d->more = event_new(d->base, -1, 0, on_doorbell, d);
	d->doorbell = event_new(d->base, dataplane_event_fd(d->dataplane), EV_READ | EV_PERSIST, on_doorbell, d);
	if (!d->more || !d->doorbell || event_add(d->doorbell, NULL))
		return error_set(error, -ERR_NOMEM, "out of memory");
	arm(d->more, 0); /* what a predecessor left */
	return 0;
}

static char *answer(void *ctx, struct server_client *from, const char *line, size_t bytes)
{
	struct daemon *d = ctx;
	char *text;

	d->control.client = from;
	text = rpc_answer(&d->control, line, bytes);
	d->control.client = NULL;
	return text;
}

static void settle(void *ctx)
{
	struct daemon *d = ctx;
	char error[ERROR_TEXT_MAX];

	if (routing_settle(&d->routing, error))
		alarm_raise(d->alarms, ALARM_STATE, "routing", "changes of numbers are in force, but a power cut may take them: %s", error);
}

static int start_doors(struct daemon *d, const char *version, char *error)
{
	const struct server_door door = { answer, settle, d };

	d->control = (struct control){
		.dataplane = d->dataplane, .config = d->config, .routing = &d->routing, .cdr = d->cdr, .prober = d->prober, .quality = d->quality,
		.resolver = naming_resolver(d->naming), .alarms = d->alarms, .certificates = d->certificates, .version = version, .started_ms = dataplane_now_ms(),
		.changed = on_changed, .ctx = d,
	};
	return server_new(d->base, d->config->control_socket, d->config->control_group, &door, &d->server, error);
}

static int start_events(struct daemon *d, char *error)
{
	static const int numbers[3] = { SIGTERM, SIGINT, SIGHUP };
	uint64_t watchdog_us = 0;

	d->second = event_new(d->base, -1, EV_PERSIST, on_second, d);
	d->reclaim = event_new(d->base, -1, 0, on_reclaim, d);
	d->shutdown = shutdown_new(d->base, &d->control);
	d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	for (unsigned i = 0; i < 3; i++)
		d->signals[i] = evsignal_new(d->base, numbers[i], numbers[i] == SIGHUP ? on_hangup : on_stop, d);
	if (!d->second || !d->reclaim || !d->shutdown || !d->watchdog || !d->signals[0] || !d->signals[1] || !d->signals[2])
		return error_set(error, -ERR_NOMEM, "out of memory");
	for (unsigned i = 0; i < 3; i++)
		event_add(d->signals[i], NULL);
	arm(d->second, 1000);
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		arm(d->watchdog, (unsigned)(watchdog_us / 2000) ? (unsigned)(watchdog_us / 2000) : 1);
	return 0;
}

static void let_calls_in(struct daemon *d)
{
	naming_wait(d->naming, &d->control.stopping);
	dataplane_admit(d->dataplane, ADMIT_ALL);
}

static int start(struct daemon *d, const char *version, char *error)
{
	int err;

	signal(SIGPIPE, SIG_IGN); /* a client that went away is an error of its write */
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is one too */
	d->base = event_base_new();
	if (!d->base)
		return error_set(error, -ERR_NOMEM, "out of memory");
	err = start_alarms(d, error);
	if (!err)
		err = privileges_seal(error);
	if (!err)
		err = start_dataplane(d, error);
	if (!err)
		privileges_leave_cores(d->config->dataplane.cores, d->config->dataplane.workers);
	if (!err && !dataplane_hugepages(d->dataplane))
		log_line(LOG_LEVEL_NOTICE, "no free hugepages: running on ordinary memory (--no-huge), slower");
	if (!err)
		err = start_events(d, error);
	if (!err)
		err = start_certificates(d, error);
	if (!err)
		err = start_names(d, error);
	if (!err)
		err = start_routing(d, error);
	if (!err)
		err = start_records(d, error);
	if (!err)
		err = start_probes(d, error);
	if (!err)
		err = start_kernel(d, error);
	if (!err)
		err = start_doors(d, version, error);
	if (!err)
		err = privileges_drop(error);
	if (!err)
		let_calls_in(d);
	return err;
}

static void stop(struct daemon *d)
{
	server_free(d->server);
	d->server = NULL; /* alarms may still be cleared */
	if (d->doorbell)
		event_free(d->doorbell);
	if (d->more)
		event_free(d->more);
	number_load_free(d->control.load);
	cdr_free(d->cdr);
	quality_free(d->quality);
	prober_free(d->prober);
	ejections_free(d->ejections);
	limits_free(d->limits);
	kernel_free(d->kernel);
	routing_done(&d->routing);
	naming_free(d->naming);
	certificates_free(d->certificates);
	for (unsigned i = 0; i < 3; i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->second)
		event_free(d->second);
	if (d->reclaim)
		event_free(d->reclaim);
	shutdown_free(d->shutdown);
	if (d->watchdog)
		event_free(d->watchdog);
	if (d->dataplane)
		dataplane_stop(d->dataplane);
	watch_free(d->watch);
	alarms_free(d->alarms);
	if (d->base)
		event_base_free(d->base);
}

int daemon_run(const struct config *config, const char *version, char *error)
{
	struct daemon d = { .config = config };
	int err = start(&d, version, error);

	if (!err) {
		log_line(LOG_LEVEL_NOTICE, "strowgerd %s is ready: %u worker(s), %u port(s), %u listener(s), control socket %s", version,
			 config->dataplane.workers, config->dataplane.port_count, config->dataplane.listener_count, config->control_socket);
		sd_notify(0, "READY=1\nSTATUS=running");
		event_base_dispatch(d.base);
		sd_notify(0, "STOPPING=1");
	}
	stop(&d);
	if (!err)
		log_line(LOG_LEVEL_NOTICE, "stopped");
	return err;
}
