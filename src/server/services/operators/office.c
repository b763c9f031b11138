/* Joins what is for operators. */
#include "office.h"

#include "utils/buffer.h"

#include <stdlib.h>
#include <string.h>

/* Where privacy is strict nothing that is made of an address is shared. */
static bool knows_names(void *arg) {
  const office *o = arg;
  return !o->names.strict && fleet_knows_names(o->fleet);
}

static void on_spent(void *arg, address *a, address_pot pot) {
  const office *o = arg;
  budgets_spent_address(o->shared, a, pot);
}

static void on_exchange(void *arg) {
  const office *o = arg;
  budgets_exchange(o->shared);
}

static uint64_t name_of_source(const void *source) {
  return address_name(source);
}

static au_status make_names(office *o, const office_config *from, const char **setting,
                            const char **reason) {
  const au_config *config = from->config;
  bool strict = config->privacy == AU_PRIVACY_STRICT, has_key = config->privacy_key[0] != '\0';
  *setting = "privacy-key";
  *reason = "has less than 16 bytes";
  if (has_key && strlen(config->privacy_key) < OFFICE_KEY_MIN) return AU_EINVAL;
  *setting = "privacy";
  *reason = "strict on Redis needs a privacy-key, the same for all daemons";
  if (strict && !has_key && config->redis_url[0] != '\0') return AU_EINVAL;
  pseudonyms_init(&o->names, from->random[0], from->random[1], strict);
  if (has_key) pseudonyms_set_secret(&o->names, slice_of(config->privacy_key));
  return AU_OK;
}

/* What has a handle in the loop comes last. */
static au_status create_parts(office *o, const office_config *config) {
  const fleet_config telling = {
      .loop = config->loop,
      .clock = config->clock,
      .store = config->store,
      .names = &o->names,
      .fixed_secret = config->config->privacy_key[0] != '\0',
      .random = {config->random[0], config->random[1], config->random[2]},
      .exchange = on_exchange,
      .arg = o,
  };
  const budgets_config sharing = {
      .clock = config->clock,
      .store = config->store,
      .seed = config->seed,
      .knows_names = knows_names,
      .knows_arg = o,
      .charge_customer = config->charge_customer,
      .arg = config->arg,
  };
  au_status status = blocks_create(&o->blocked);
  if (status == AU_OK) status = undo_create(config->store, name_of_source, &o->undo);
  if (status == AU_OK) status = census_create(config->store, &o->census);
  if (status == AU_OK) status = budgets_create(&sharing, &o->shared);
  fleet_config joined = telling;
  joined.blocked = o->blocked;
  joined.undo = o->undo;
  return status == AU_OK ? fleet_create(&joined, &o->fleet) : status;
}

au_status office_create(const office_config *config, const char **setting, const char **reason,
                        office **out) {
  office *o = calloc(1, sizeof *o);
  if (!o) return AU_ENOMEM;
  au_status status = make_names(o, config, setting, reason);
  if (status == AU_OK) status = create_parts(o, config);
  if (status != AU_OK) {
    office_free(o);
    return status;
  }
  *out = o;
  return AU_OK;
}

void office_take_addresses(office *o, addresses *all) {
  addresses_set_names(all, &o->names, o->blocked);
  addresses_on_spent(all, on_spent, o);
}

void office_start(office *o) {
  fleet_start(o->fleet);
}

void office_stop(office *o, void (*stopped)(void *arg), void *arg) {
  fleet_stop(o->fleet, stopped, arg);
}

void office_free(office *o) {
  if (!o) return;
  undo_free(o->undo);
  census_free(o->census);
  fleet_free(o->fleet);
  budgets_free(o->shared);
  blocks_free(o->blocked);
  free(o);
}
