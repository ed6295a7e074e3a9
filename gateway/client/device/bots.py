"""Is it a bot, not a person who watches?

Bots are crawlers, link previews, monitors, scanners, HTTP libraries and headless browsers. A bot is
recognised by a word (``Googlebot``, ``crawler``, ``checker``), by a web or e-mail address, by
``compatible;`` without an old browser after it, or by a name without a version. Players that link
to their home page (Kodi, Ecosia) and phones of the make Cubot are excepted.
"""

import re
from collections.abc import Callable

from gateway.client.device.classification import Classification
from gateway.client.device.phrases import Phrases
from gateway.client.device.text import UserAgentText
from gateway.client.facts import DeviceKind

_CRAWLS = ("crawl", "spider", "slurp", "scrap", "xrawler", "archiv")
_DUTIES = (
    "checker", "checklink", "linkcheck", "monitor", "scanner", "scann", "validator", "fetcher",
    "fetch/", "preview", "lighthouse", "headless", "phantomjs", "puppeteer", "playwright",
    "selenium", "screenshot", "subscriber", "scan/", "scan)", "radar/", "radarbot", "feedparser",
    "feed parser", "feedflow", "feedreader", "worker/", "agent)", "classifier", "linktiger",
    "gigablast", "wordup", "newspaper/", "datanyze", "httpunit", "search engine", "favicon",
    "imageproxy", "image proxy", "image cache", "imagecache", "healthcheck", "health check",
    "uptime", "survey", "pagespeed", "page speed", "web preview", "speed insights", "sitemap",
    "analyzer", "analyser", "audit", "extractor", "searcher", "websearch", "externalhit",
    "meta-external", "facebookexternal", "resolver", "metadata", "webhook", "wordpress",
    "siteimprove", "researchscan", "ai-research", "securityscan", "securityheader", "verifier",
    "verification", "verify/", "prober", "recon-", "certificate", "linkfinder", "urllookup",
    "observator", "synthetic", "diagnostics", "sniffer", "harvest", "indexer", "indexing",
    "finder", "discovery/", "leaddiscovery", "optimizer", "feed-id", "http client", "httpclient",
    "http-client", "http_client", "-http/", "httpagent", "webclient/", "nagios",
    "zgrab", "masscan", "nutch", "heritrix", "larbin",
    "httrack", "libwww-perl", "lwp-", "python-", "python/", "urllib", "aiohttp", "go-http",
    "guzzle",
    "axios", "node-fetch", "undici", "apachebench", "pingdom", "statuscake", "datadog",
    "newrelic", "site24x7", "gtmetrix", "dareboost", "ptst/", "rigor", "detectify", "nikto",
    "sqlmap", "acunetix", "nessus", "openvas", "nmap", "collectd", "prometheus/", "zabbix",
    "grafana", "munin", "cloudflare-", "netcraft", "ahrefs", "semrush", "facebookcatalog",
    "daumoa", "ips-agent", "ia_archiver", "rss-parser", "rss reader -", "feedfetcher", "newsblur",
    "feedbin", "feedly", "inoreader", "theoldreader", "hatena", "genieo", "teoma", "scooter/",
    "yahoo:", "yahoocache", "mediapartners", "adsbot", "ghost inspector", "embedly", "iframely",
    "w3c_", "w3c-", "keycdn", "sectigo", "dcv", "internet-measurement", "inspector", "inspection",
    "webcapture", "sitesucker", "webcop", "downloader/", "-user/", "agent/1", "agent/2",
    "agent/0", " agent ", "buyforme", "csscheck", "healthz", "check/", "check)", "shopping",
    "shopp", "-ai/", "leadgen", "leadradar", "prospect", "insight", "auditor", "sslshed",
    "infrawatch", "onlyscans", "proxy)", "[at]", "(at)", "contact ", "trendsmap", "pixalate",
    # Monitors, fetchers and attack tools whose names contain none of the words above.
    "azure-logic", "microsoft-flow", "whatcms", "kiwitcms", "prittorrent", "rootevidence",
    "disqus", "datafeedwatch", "silktide", "hardenize", "collapsify", "hotjar", "sitelock",
    "brandwatch", "brandverity", "sindup", "foregenix", "marketgoo", "testlocally", "metorik",
    "modularconnector", "snipcart", "klaviyo", "omnisend", "instapaper", "integromat", "urlcheck",
    "watchmouse", "panopta", "exporter/", "assetnote", "watchtowr", "dmbrowser", "iplabel",
    "arachni", "mnogosearch", "sprinklr", "hakai", "kowai", "lolisec", "phpmyadmin", "matomo",
    "webmon", "castopod", "cybaa", "secweb", "webmoney advisor", "dummy connection",
    "copilotchat", "nextcloud", "blogtrottr", "newsnow", "discourse forum", "fastmail", "vkshare",
    "splash version", "callout", "connector/", "importer", "plagiar", "turnitin", "researcher",
    "researchb", "recon/", "security/", "secur/", "sec/", "vulnerab", "threat", "exploit",
    "probe", "ping/", "kube-", "elb-health", "googlehc", "catchpoint", "gomez", "neustar",
    "alertsite", "updown", "freshping", "hetrix", "watchdog", "tracker/", "parser", "magpierss",
    "netvibes", "bloglines", "proximic", "grapeshot", "yeti/", "baidu-", "transcoder",
    "anthropic", "claude-", "openai", "gptbot", "perplexity", "cohere-", "chatgpt", "quora",
    "pinterest/0", "flipboardproxy", "tineye", "linkdex", "majestic", "backlink", "whois",
    "http request", "httprequest", "winhttp", "restsharp", "rest-client", "unirest", "mechanize",
    "faraday", "typhoeus", "http.rb", "pycurl", "java/1", "jakarta", "apache-http", "snoopy",
    "powershell", "superagent", "requests/", "grabber", "offline explorer", "teleport", "webzip",
    "webcopier", "webreaper", "emailsiphon", "emailwolf", "mail.ru", "vkrobot", "evaliant",
    "dejaclick", "ptst ", "squider", "yahooseeker", "wayback save",
    # Screenshot makers, link checkers, HTTP libraries and site services, from lists of crawlers.
    "webthumb", "web thumb", "websnap", "thumbnail", "wkhtml", "webkit2png", "webscreenie",
    "siteshoot", "webshot", "linkwalker", "linkalarm", "linkexaminer", " valet", "redirect tracer",
    "geturl", "http-get", "httpc", "httplib", "http-tiny", "nethttp", "unshorten", "imageengine",
    "jobsearch", "seoliz", "debugbear", "kimonolabs", "hubspot", "fetch api", "engine)",
    "matcher", "urlfetch", "url client", "uri client", "importmanager", "crwlr", "fuzz faster",
    "localsearch", "superlizard", "sqwatcher", "quiterss", "webcollage", "netpursual",
)  # fmt: skip
_PROGRAMS = frozenset(
    (
        "curl", "wget", "httpie", "scrapy", "xenu", "zeus", "zmeu", "okhttpbot", "jetty",
        "jersey", "php", "perl", "reqwest", "colly", "lynxbot", "ahc", "jigsaw", "owler",
        "zeno", "gobuster", "thousandeyes", "outbrain", "ezooms", "nuzzel", "robozilla",
        "googleother", "googleprober", "adbeat", "adreview", "convertify", "functionize",
        "mixnode", "twingly", "shodan", "censys", "expanse", "l9explore", "l9tcpid",
        "imgproxy", "postman", "postmanruntime", "insomnia", "urlgrabber", "nettraffic",
        "evc", "ltx71", "siege", "varnish", "shopify", "duplexweb", "kendra", "lwp", "aria2",
        "nghttp2", "mget", "anglesharp",
        "geziyor", "jaunt", "needle", "khttp", "memgator", "udmsearch", "craw", "rssmix",
    )
)  # fmt: skip

# Players and browsers with an address in their User-Agent.
_LINKING_PLAYERS = Phrases(
    (
        "xbmc", "kodi", "ecosia", "podcast", "feeddemon", "liferea", "newsbeuter",
        "netnewswire", "rssbandit", "ranchero", "juicereceiver", "feedstation",
        "acrylicapps", "doughnut", "bsalsa", "iphone", "coolerfm", "watch",
        "android podcast", "newsboat", "ucbrowser", "u2/1", "cfnetwork", "exoplayer",
        "fban", "fbpn", "nrc digitale", "huawei", "unityplayer",
    )
)  # fmt: skip
# Words of old browsers that said "compatible;".
_OLD_BROWSERS = Phrases(
    (
        "msie", "konqueror", "ibrowse", "netpositive", "abrowse", "omniweb", "ms-office",
        "offbyone", "icab", "netfront", "viera", "linux mips", "antgalio", "escape",
        "nitro", "blazer", "teleca", "googletv", "hbbtv", "elaine", "opera", "tablet2.0",
        "smartphone2.0", "; windows", "; macintosh", "polaris", "lephone", "windows-media",
        "blackberry", "amigaos", "aros", "; x11", "fedora", "openbsd",
        "webpositive",
    )
)  # fmt: skip
_BOT_WORD = re.compile(r"bots?(?![a-z])|robot|bot[-_]")
_ADDRESSES = ("http:", "https:", "[at]", "(at)")
_MAIL = re.compile(r"@[a-z\d-]{1,40}\.[a-z]{2}")
_TOP_LEVELS = (
    ".com", ".org", ".net", ".io", ".co", ".ai", ".eu", ".info", ".de", ".fr", ".gy", ".ly", ".uk",
    ".ru", ".cn", ".jp", ".party", ".be",
)  # fmt: skip
_DOMAIN = re.compile(
    r"(?<![\w.@-])[a-z\d-]{2,40}(?:\.[a-z\d-]{2,40})?"
    r"\.(?:com|org|net|io|co|ai|eu|info|de|fr|gy|ly|uk|ru|cn|jp|party|be)(?![\w.])"
)
_GOOGLE_SERVICE = re.compile(
    r"(?<!apps )google(?:-|a[ds]|other|prober|sites| web| search| favicon| keyword)|[a-z]-google"
)
_GOOGLE_PLAYERS = Phrases(("googletv", "podcast", "google tv", "chromecast", "iphone", "os=ios"))
_PHONES = Phrases(("iphone", "android", "windows", "symbian", "s60", "nokia", "blackberry"))
# Makes with "bot" in their names: one of phones and one of televisions.
_NOT_BOTS = re.compile(r"cubot|botech")
# What is no sign of a bot: add-ons of browsers, proxies that translate for people, the shop that an
# app came from, and makers' own agents on their televisions and phones.
_HARMLESS = re.compile(
    r"esobisubscriber|webmoney advisor|ant\.com toolbar|google-tr-|shopperreports"
    r"|\(via (?:translate|docs)\.google\.com[^)]{0,80}\)|channel_google-play|officelive\w{1,20}"
    r"|supplied by [\w.]{1,40}|qtweb internet browser/[\d.]{1,20} http://www\.qtweb\.net"
    r"|google ?chrome|google-sketchup|^[\w-]{1,30}\.com(?=/[\d.]{1,20} \((?:android|ip|linux))"
    r"|(?:samsung|lge?|sony|philips|panasonic|hisense|sharp|tcl|vestel|xiaomi|huawei)[-_ ]?agent"
)
_SERVICES = Phrases(
    (
        "rss", "feed", "link", "seo", "search", "site", "scan", "thumb", "snapshot", "domain",
        "dns", "ssl", "rank", "valid", "check", "probe", "ping", "proxy", "fetch", "mirror", "grab",
        "extract", "analy", "hook", "crm", "job", "agent", "import", "export", "report", "robo",
        "index", "script", "php", "perl",
    )
)  # fmt: skip
_PLAYERS = Phrases(
    (
        "player", "tv", "stream", "media", "video", "music", "radio", "audio", "podcast", "film",
        "movie", "cast", "app/", "app ", "browser", "phone", "tablet", "samsung", "unity",
        "sdk",
    )
)  # fmt: skip
_VERSIONED = re.compile(r"/ ?v?\d|\d\.\d|/\w")


def find(text: UserAgentText, model: str) -> Classification | None:
    """Classify as a bot; None when there is no sign of one.

    The ``model`` is not searched, because there are phones called Discovery, Ruby and M bot.
    """
    low = text.low.replace(model, "") if model else text.low
    if _ANY_SIGN.occurs_in(low):
        low = _HARMLESS.sub("", low)
        for matches, found in _SIGNS:
            if matches(low):
                return found
    if not model and text.says(_PROGRAMS):
        return _PROGRAM
    return None


def find_bare(text: UserAgentText) -> Classification | None:
    """Classify as a bot by its name alone, when nothing else was recognised.

    Players and their libraries send ``Name/version``. A User-Agent without a version is a script. A
    name that says what services do (``RSSMix/3.0``) and not what players do is a service.
    """
    if text.raw and not _VERSIONED.search(text.low):
        return _BARE
    if text.low.startswith("mozilla/"):
        return _NO_SYSTEM
    if _SERVICES.occurs_in(text.low) and not _PLAYERS.occurs_in(text.low):
        return _SERVICE
    return None


def _is_bot_word(low: str) -> bool:
    return "bot" in low and _BOT_WORD.search(_NOT_BOTS.sub("", low)) is not None


def _links_home(low: str) -> bool:
    linked = (
        any(mark in low for mark in _ADDRESSES)
        or _DOMAIN.search(low) is not None
        or ("@" in low and _MAIL.search(low) is not None)
    )
    return linked and not _LINKING_PLAYERS.occurs_in(low)


def _is_google_service(low: str) -> bool:
    if "google" not in low:
        return False
    if low.startswith("google") and not _GOOGLE_PLAYERS.occurs_in(low):
        return True
    return _GOOGLE_SERVICE.search(low) is not None


def _previews(low: str) -> bool:
    return low.startswith("whatsapp/") and not _PHONES.occurs_in(low)


def _claims_compatibility(low: str) -> bool:
    return "compatible;" in low and not _OLD_BROWSERS.occurs_in(low)


def _crawls(low: str) -> bool:
    return any(word in low for word in _CRAWLS)


def _is_on_duty(low: str) -> bool:
    return any(word in low for word in _DUTIES)


def _bot(code: str, because: str) -> Classification:
    return Classification(DeviceKind.BOT, code, because)


_PROGRAM = _bot("bot-program", "its name is that of a tool or library")
_BARE = _bot("bot-bare-name", "it is a name without a version")
_SERVICE = _bot("bot-service", "its name says what services do, and names no device or player")
_NO_SYSTEM = _bot("bot-no-system", "it claims to be a browser but names no operating system")
# Every sign needs one of these phrases. Most players have none, so one test is enough for them.
_ANY_SIGN = Phrases(
    (
        *_CRAWLS,
        *_DUTIES,
        *_ADDRESSES,
        *_TOP_LEVELS,
        "@",
        "bot",
        "google",
        "whatsapp/",
        "compatible;",
    )
)
_SIGNS: tuple[tuple[Callable[[str], bool], Classification], ...] = (
    (_is_bot_word, _bot("bot-word", "its name says bot")),
    (_crawls, _bot("bot-word", "its name says crawler")),
    (_links_home, _bot("bot-address", "its User-Agent contains a web or e-mail address")),
    (_is_on_duty, _PROGRAM),
    (_is_google_service, _bot("bot-google", "it is one of Google's services")),
    (_previews, _bot("bot-preview", "it fetches a link preview")),
    (
        _claims_compatibility,
        _bot("bot-compatible", "it says compatible but names no known browser"),
    ),
)
