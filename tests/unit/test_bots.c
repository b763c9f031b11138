/* Tests of known bots: user agents of people and of bots, and what counts as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transports/access/bots.h"
#include "utils/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MOZILLA      "Mozilla/5.0 "
#define WEBKIT       " AppleWebKit/537.36 (KHTML, like Gecko) "

static const char *const bots[] = {
    MOZILLA "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    MOZILLA "(Linux; Android 6.0.1; Nexus 5X Build/MMB29P)" WEBKIT
            "Chrome/125.0.6422.60 Mobile Safari/537.36 (compatible; Googlebot/2.1; "
            "+http://www.google.com/bot.html)",
    MOZILLA "AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
            "+http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
    MOZILLA "(compatible; YandexBot/3.0; +http://yandex.com/bots)",
    MOZILLA "(compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    MOZILLA "AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; "
            "+https://openai.com/gptbot)",
    MOZILLA "AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; "
            "+claudebot@anthropic.com)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0",
    "Twitterbot/1.0",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Baiduspider+(+http://www.baidu.com/search/spider.htm)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
    MOZILLA "(X11; Linux x86_64)" WEBKIT "HeadlessChrome/125.0.0.0 Safari/537.36",
    MOZILLA "(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    MOZILLA "(compatible; somebody new/0.1; +https://new.example/about-our-crawler)",
};

static const char *const people[] = {
    MOZILLA "(Windows NT 10.0; Win64; x64)" WEBKIT "Chrome/125.0.0.0 Safari/537.36",
    MOZILLA "(Windows NT 10.0; Win64; x64)" WEBKIT "Chrome/125.0.0.0 Safari/537.36 Edg/125.0.0.0",
    MOZILLA "(Windows NT 10.0; Win64; x64; rv:126.0) Gecko/20100101 Firefox/126.0",
    MOZILLA "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.4 Safari/605.1.15",
    MOZILLA "(iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
    MOZILLA "(Linux; Android 10; K)" WEBKIT "Chrome/125.0.0.0 Mobile Safari/537.36",
    MOZILLA "(Linux; Android 9; CUBOT_X19)" WEBKIT "Chrome/74.0.3729.136 Mobile Safari/537.36",
    MOZILLA "(Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv)" WEBKIT
            "Version/4.0 Chrome/142.0 Mobile Safari/537.36 Instagram 406.0.0.58.159 Android",
    MOZILLA "(iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Mobile/15E148 [FBAN/FBIOS;FBAV/470.0.0.40.107;FBBV/612345678]",
    MOZILLA "(iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "GSA/319.0.637 Mobile/15E148 Safari/604.1",
    MOZILLA "(Linux; Android 11; KFTRWI)" WEBKIT "Silk/108.4.6 like Chrome/108.0 Safari/537.36",
    MOZILLA "(SMART-TV; Linux; Tizen 5.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/5.0 TV "
            "Safari/538.1",
    MOZILLA "(PlayStation 5 3.03/SmartTV) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Opera/9.80 (Android; Opera Mini/36.2/119.132; U; en) Presto/2.12.423 Version/12.16",
    /* They may speak for people. */
    "curl/8.5.0",
    "okhttp/4.12.0",
    "node",
    "ShopApp/3.2 CFNetwork/1496 Darwin/23.5.0",
    "",
    "Go",
};

static void bots_are_known(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(bots); i++)
    if (!bots_match(slice_of(bots[i]))) fail_msg("not known: %s", bots[i]);
}

static void people_are_not(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(people); i++)
    if (bots_match(slice_of(people[i]))) fail_msg("taken for a bot: %s", people[i]);
}

static void so_much_is_looked_at(void **state) {
  (void)state;
  static const char name[] = "Googlebot/2.1";
  enum { LARGE = 16384 };
  char *agent = malloc(LARGE); /* exact: a read beyond it is a report */
  assert_non_null(agent);
  for (size_t at = 0; at + sizeof name < LARGE; at += 251) {
    memset(agent, 'G', LARGE);
    memcpy(agent + at, name, sizeof name - 1);
    /* Up to the slash, which is what it is known by. */
    bool is_seen = at + 10 <= BOTS_MAX_BYTES;
    if (bots_match((au_slice){agent, LARGE}) != is_seen) fail_msg("at %zu", at);
  }
  free(agent);
}

static void any_bytes_are_looked_at(void **state) {
  (void)state;
  for (size_t len = 0; len <= 8; len++) {
    char *agent = malloc(len + 1);
    assert_non_null(agent);
    for (size_t i = 0; i < len; i++) agent[i] = (char)(0xf8 + i);
    char *exact = realloc(agent, len ? len : 1);
    assert_non_null(exact);
    assert_false(bots_match((au_slice){exact, len}));
    free(exact);
  }
}

static void what_counts_as_one(void **state) {
  (void)state;
  static const struct {
    const char *name, *header, *field;
    bool webdriver, count_bots;
    au_visitor want;
  } cases[] = {
      {"nothing is said", "", "", false, false, AU_VISITOR_PERSON},
      {"the header", "Googlebot/2.1", "", false, false, AU_VISITOR_BOT},
      {"the field", "", "Googlebot/2.1", false, false, AU_VISITOR_BOT},
      {"a driver", "", "", true, false, AU_VISITOR_BOT},
      {"all count", "Googlebot/2.1", "Googlebot/2.1", true, true, AU_VISITOR_PERSON},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    au_config config;
    au_config_init(&config);
    config.count_bots = cases[i].count_bots;
    const bots_signs signs = {slice_of(cases[i].header), slice_of(cases[i].field),
                              cases[i].webdriver};
    if (bots_judge(&config, &signs) != cases[i].want) fail_msg("%s", cases[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bots_are_known),       cmocka_unit_test(people_are_not),
      cmocka_unit_test(so_much_is_looked_at), cmocka_unit_test(any_bytes_are_looked_at),
      cmocka_unit_test(what_counts_as_one),
  };
  if (bots_known() == 0) {
    puts("bots: skipped, this build has no list");
    return 0;
  }
  return cmocka_run_group_tests_name("bots", tests, NULL, NULL);
}
