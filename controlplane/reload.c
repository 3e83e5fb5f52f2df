/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include "api/control.h"
#include "certs/certificates.h"
#include "config.h"
#include "config_stale.h"
#include "error.h"
#include "log.h"
#include "routing.h"

/* What else the file has is read at the start alone: where that was edited, it is said what is not in force. */
static void say_stale(const struct config *config)
{
	char sections[CONFIG_STALE_MAX], error[ERROR_TEXT_MAX];

	if (config_stale(config, sections, error))
		log_line(LOG_LEVEL_ERROR, "SIGHUP: %s", error);
	else if (sections[0])
		log_line(LOG_LEVEL_WARNING, "SIGHUP: %s: changed in %s, but read at the start only (systemctl restart strowgerd)", sections, config->path);
}

void reload_file(struct control *c)
{
	const struct config *config = c->config;
	char error[ERROR_TEXT_MAX];
	struct model *m;

	if (certificates_reload(c->certificates, NULL))
		log_line(LOG_LEVEL_ERROR, "SIGHUP: some certificates cannot be used, what was there before is (strowgerctl certificates)");
	if (config->state_file[0]) {
		say_stale(config);
		log_line(LOG_LEVEL_NOTICE, "SIGHUP: routing is kept in %s, the file's sections stay unread (strowgerctl apply -f FILE)", config->state_file);
		return;
	}
	c->routing->origin = (struct origin){ .who = "strowgerd", .operation = "SIGHUP" };
	if (config_load_routing(config, &m, error) || routing_commit(c->routing, m, error)) {
		log_line(LOG_LEVEL_ERROR, "SIGHUP: nothing changed: %s", error);
		return;
	}
	c->changed(c->ctx);
	say_stale(config);
	log_line(LOG_LEVEL_NOTICE, "SIGHUP: routing of %s is in force", config->path);
}
