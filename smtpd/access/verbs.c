/* SPDX-License-Identifier: MIT */
/* The one table of restrictions. */
#include "smtpd/access/rules.h"

static const struct verb VERBS[] = {
    {"check_address_map", restrict_check_address, ARGUMENT_TABLE, 0},
    {"check_client_access", restrict_check_client, ARGUMENT_TABLE, 0},
    {"check_etrn_access", restrict_check_etrn, ARGUMENT_TABLE, 0},
    {"check_helo_access", restrict_check_helo, ARGUMENT_TABLE, 0},
    {"check_policy_service", restrict_check_policy, ARGUMENT_SERVICE, 0},
    {"check_recipient_access", restrict_check_recipient, ARGUMENT_TABLE, 0},
    {"check_reverse_client_hostname_access", restrict_check_reverse_client,
     ARGUMENT_TABLE, 0},
    {"check_sasl_access", restrict_check_sasl, ARGUMENT_TABLE, 0},
    {"check_sender_access", restrict_check_sender, ARGUMENT_TABLE, 0},
    {"defer", restrict_defer, ARGUMENT_NONE, VERB_FINAL | VERB_GUARD},
    {"defer_if_permit", restrict_defer_if_permit, ARGUMENT_NONE, VERB_GUARD},
    {"defer_if_reject", restrict_defer_if_reject, ARGUMENT_NONE, 0},
    {"defer_unauth_destination", restrict_defer_unauth_destination, ARGUMENT_NONE,
     VERB_GUARD},
    {"permit", restrict_permit, ARGUMENT_NONE, VERB_FINAL},
    {"permit_auth_destination", restrict_permit_auth_destination, ARGUMENT_NONE, 0},
    {"permit_dnswl_client", restrict_permit_dnswl_client, ARGUMENT_DOMAIN, 0},
    {"permit_rhswl_client", restrict_permit_rhswl_client, ARGUMENT_DOMAIN, 0},
    {"permit_inet_interfaces", restrict_permit_inet_interfaces, ARGUMENT_NONE, 0},
    {"permit_mynetworks", restrict_permit_mynetworks, ARGUMENT_NONE, 0},
    {"permit_sasl_authenticated", restrict_permit_sasl, ARGUMENT_NONE, 0},
    {"permit_tls_all_clientcerts", restrict_ignored_without_tls, ARGUMENT_NONE, 0},
    {"permit_tls_clientcerts", restrict_ignored_without_tls, ARGUMENT_NONE, 0},
    {"reject", restrict_reject, ARGUMENT_NONE, VERB_FINAL | VERB_GUARD},
    {"reject_authenticated_sender_login_mismatch", restrict_reject_login_mismatch,
     ARGUMENT_NONE, 0},
    {"reject_invalid_helo_hostname", restrict_reject_invalid_helo, ARGUMENT_NONE, 0},
    {"reject_invalid_hostname", restrict_reject_invalid_helo, ARGUMENT_NONE, 0},
    {"reject_known_sender_login_mismatch", restrict_reject_known_mismatch,
     ARGUMENT_NONE, 0},
    {"reject_multi_recipient_bounce", restrict_reject_multi_recipient_bounce,
     ARGUMENT_NONE, 0},
    {"reject_non_fqdn_helo_hostname", restrict_reject_non_fqdn_helo, ARGUMENT_NONE, 0},
    {"reject_non_fqdn_hostname", restrict_reject_non_fqdn_helo, ARGUMENT_NONE, 0},
    {"reject_non_fqdn_recipient", restrict_reject_non_fqdn_recipient, ARGUMENT_NONE, 0},
    {"reject_non_fqdn_sender", restrict_reject_non_fqdn_sender, ARGUMENT_NONE, 0},
    {"reject_plaintext_session", restrict_reject_plaintext_session, ARGUMENT_NONE, 0},
    {"reject_rbl_client", restrict_reject_rbl_client, ARGUMENT_DOMAIN, 0},
    {"reject_rhsbl_client", restrict_reject_rhsbl_client, ARGUMENT_DOMAIN, 0},
    {"reject_rhsbl_helo", restrict_reject_rhsbl_helo, ARGUMENT_DOMAIN, 0},
    {"reject_rhsbl_recipient", restrict_reject_rhsbl_recipient, ARGUMENT_DOMAIN, 0},
    {"reject_rhsbl_reverse_client", restrict_reject_rhsbl_reverse_client,
     ARGUMENT_DOMAIN, 0},
    {"reject_rhsbl_sender", restrict_reject_rhsbl_sender, ARGUMENT_DOMAIN, 0},
    {"reject_sender_login_mismatch", restrict_reject_sender_login_mismatch,
     ARGUMENT_NONE, 0},
    {"reject_unauth_destination", restrict_reject_unauth_destination, ARGUMENT_NONE,
     VERB_GUARD},
    {"reject_unauth_pipelining", restrict_reject_unauth_pipelining, ARGUMENT_NONE, 0},
    {"reject_unauthenticated_sender_login_mismatch", restrict_reject_nologin_mismatch,
     ARGUMENT_NONE, 0},
    {"reject_unknown_address", restrict_reject_unknown_sender, ARGUMENT_NONE, 0},
    {"reject_unknown_client", restrict_reject_unknown_client, ARGUMENT_NONE, 0},
    {"reject_unknown_client_hostname", restrict_reject_unknown_client, ARGUMENT_NONE,
     0},
    {"reject_unknown_helo_hostname", restrict_reject_unknown_helo, ARGUMENT_NONE, 0},
    {"reject_unknown_hostname", restrict_reject_unknown_helo, ARGUMENT_NONE, 0},
    {"reject_unknown_recipient_domain", restrict_reject_unknown_recipient,
     ARGUMENT_NONE, 0},
    {"reject_unknown_reverse_client_hostname", restrict_reject_unknown_reverse_client,
     ARGUMENT_NONE, 0},
    {"reject_unknown_sender_domain", restrict_reject_unknown_sender, ARGUMENT_NONE, 0},
    {"reject_unlisted_recipient", restrict_reject_unlisted_recipient, ARGUMENT_NONE, 0},
    {"reject_unlisted_sender", restrict_reject_unlisted_sender, ARGUMENT_NONE, 0},
    {"sleep", restrict_sleep, ARGUMENT_NUMBER, 0},
    {"warn_if_reject", restrict_warn_if_reject, ARGUMENT_NONE, VERB_MODIFIER},
};

const struct verb *verb_find(struct view name)
{
    for (size_t i = 0; i < ARRAY_SIZE(VERBS); i++) {
        if (view_equal_nocase_cstr(name, VERBS[i].name)) {
            return &VERBS[i];
        }
    }
    return NULL;
}
