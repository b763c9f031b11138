/* Asks by libcurl, without its multi interface: nothing else is to be done meanwhile. */
#include "fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

struct fetcher {
  CURL *easy;
  buffer body;
  char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *bytes, size_t size, size_t n, void *arg) {
  buffer *body = arg;
  buffer_append(body, bytes, size * n);
  return body->failed ? 0 : size * n;
}

au_status fetcher_create(uint32_t timeout_ms, fetcher **out) {
  fetcher *f = calloc(1, sizeof *f);
  if (!f) return AU_ENOMEM;
  buffer_init(&f->body, FETCH_MAX_BYTES + 1);
  f->easy = curl_easy_init();
  if (!f->easy) {
    free(f);
    return AU_ENOMEM;
  }
  curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->error);
  curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(f->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  curl_easy_setopt(f->easy, CURLOPT_QUICK_EXIT, 1L); /* waits for no name server behind that */
  curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(f->easy, CURLOPT_PROXY, ""); /* a proxy of the environment knows no loopback */
  curl_easy_setopt(f->easy, CURLOPT_USERAGENT, "active-users/" AU_VERSION);
  curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, &f->body);
  *out = f;
  return AU_OK;
}

void fetcher_free(fetcher *f) {
  if (!f) return;
  curl_easy_cleanup(f->easy);
  buffer_free(&f->body);
  free(f);
}

long fetch(fetcher *f, const char *base, const char *target, const char *token, au_slice *body,
           char problem[FETCH_PROBLEM_SIZE]) {
  char url[4096], header[600];
  long status = 0;
  struct curl_slist *headers = NULL;
  snprintf(url, sizeof url, "%s%s", base, target);
  if (token[0]) {
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    headers = curl_slist_append(NULL, header);
  }
  buffer_clear(&f->body);
  f->error[0] = '\0';
  CURLcode code = CURLE_OUT_OF_MEMORY;
  if (headers || !token[0]) {
    curl_easy_setopt(f->easy, CURLOPT_URL, url);
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(f->easy);
  }
  curl_slist_free_all(headers);
  buffer_append(&f->body, "", 1);
  if (code == CURLE_OK && !f->body.failed) {
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    *body = (au_slice){f->body.ptr, f->body.len - 1};
  }
  const char *why = f->error[0] ? f->error : curl_easy_strerror(code);
  if (f->body.failed) why = "the answer is too large";
  if (status == 0) snprintf(problem, FETCH_PROBLEM_SIZE, "%.200s: %s", base, why);
  return status;
}
