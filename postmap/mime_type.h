/* SPDX-License-Identifier: MIT */
/* The Content-Type header (RFC 2045 5.1), as far as it tells where parts begin. */
#ifndef POSTMAP_MIME_TYPE_H
#define POSTMAP_MIME_TYPE_H

#include <stdbool.h>

#include "base/str.h"
#include "base/view.h"

enum mime_kind { MIME_OTHER, MIME_MULTIPART, MIME_DIGEST, MIME_MESSAGE };

/* HEADER is the whole header.  False when it is another one.  BOUNDARY_OUT is empty
 * unless the kind is multipart (a digest is one) and has a boundary. */
bool mime_type_parse(struct view header, enum mime_kind *kind_out,
                     struct str *boundary_out);

#endif
