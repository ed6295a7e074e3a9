"""Is it a game console, a headset, a speaker, a television (or a device connected to one), or a
car?

Most of their User-Agents contain a word that only they use, which is looked up in a set.
A smart display (Nest Hub, Echo Show) has a screen, so it is no speaker.
Televisions with Android and without such a word are recognised by ``android``.
"""

import re

from gateway.client.device.classification import Classification
from gateway.client.device.phrases import LinearPattern, Phrases
from gateway.client.device.text import UserAgentText
from gateway.client.facts import DeviceKind

_CONSOLES = frozenset(
    (
        "playstation", "playstation2", "playstation3", "playstation4", "playstation5",
        "ps3", "ps4", "ps5", "psp", "psvita", "xbox", "nintendo", "nintendobrowser", "wii",
        "wiiu", "ouya", "gamepad", "gamepad2", "steamdeck", "steamos", "sega", "dreamcast",
        "switchbrew", "stadia", "retroid", "anbernic", "odin2", "prospero", "durango",
        "scarlett", "bunjalloo", "rgcube", "segasaturn", "planetweb", "dreampassport",
        "gamestick", "gamesir", "powkiddy", "ayaneo", "ayn", "gpd", "jxd", "miyoo", "freya",
        "aplix_sanyo_browser", "aplix", "avefront", "nintendods", "xboxone", "xbox360", "atarivcs",
        "polymega", "evercade", "zeebo", "pippin", "gizmondo", "gamecube", "psvr",
        "steamdeckoled", "gamescope", "trimui", "abxylute", "mojo", "nintendoswitch",
    )
)  # fmt: skip
_CONSOLE_PARTS = ("nintendo", "playstation", "jxd_", "steam deck")
_CONSOLE_MODEL = re.compile(
    r"xbox|playstation|(?!rg500)rg ?(?:28|34|35|40|47|50|55)\d?|gr0006|switch(?: lite| oled| 2)?$"
    r"|shield(?: portable)?$"
    r"|jxd|gpd|xd plus|odin|razer edge|moqi|trimui|retroid|ayn|anbernic|powkiddy|rp[2-6](?:\+|$)"
    r"|rg(?:cube|p\d|arc)|g cloud|logitech g|ouya|mojo|mad catz|gamestick|snail|pimax portal|s7800"
    r"|abxylute|mangmi|konkr|kinhank|gamemt|steam deck|atari|nintendo|ps vita"
)

_TV_WORDS = frozenset(
    (
        "hbbtv", "hbbtv1", "ohtv", "smarttv", "smarttva", "smart_tv", "tvos", "netcast",
        "nettv", "googletv", "androidtv", "appletv", "webostv", "web0s", "tizentv", "vidaa",
        "viera", "netrange", "netrangemmh", "inettvbrowser", "stbapp", "iptv", "dlnadoc",
        "fvc", "tvstore", "tvbro", "espial", "ekioh", "opentv", "foxxum", "antgalio",
        "zeasn", "whaletv", "whaleos", "titanos", "tivoos", "viziosmartcast", "vizios",
        "smartcast", "conjure", "omi", "sraf", "hybridcast", "webtv", "cinnamon", "ksmart",
        "kepler", "maple2011", "maple2012", "philipstv", "saphi", "sonycebrowser",
        "sonydtv", "cehtml", "firetv", "xumo", "wpe", "rdk", "lgtv", "roku", "dvp",
        "rokuos", "starboard",
        "bravia", "crkey", "chromecast", "brightsign", "tivo", "boxee", "vizio",
        "popcornhour", "wdtv", "dunehd", "freebox", "livebox", "enigma2", "dreambox",
        "vuplus", "kaon", "kaonmedia", "humax", "arris", "technicolor", "sagemcom",
        "skyworth", "skardin", "selevision", "amino", "infomir", "albis", "elecard",
        "netgem", "kreatv", "stb", "tsbnettv", "directfb", "machblue", "mbxtwebkit",
        "otvwebkit", "diga", "loewe", "pacehd", "entone", "motorolastb", "swisscom", "freesat",
        "youview",
        "skyq", "tbrowser", "beyondtv", "beyondtv2", "beyondtv4", "beyondtv5", "mitv",
        "mibox", "mibox3", "mibox4", "oneplustv", "realmetv", "nokiatv", "regza",
        "xiaomitv", "skystream", "formuler", "redlineclient", "tivimate", "stbemu",
        "watchfree", "nvidiashield", "fancyplayer", "digia", "lgwebostv", "cvte",
        "seraphic", "lgbrowser", "purple_tv", "nexus_player", "telly", "ziggo", "magenta",
        "xgem", "tizenbrowser_tv", "digaplus", "kylo", "mb95", "mb92", "qdt", "ctrlstb",
    )
)  # fmt: skip
_TV_PARTS = Phrases(
    (
        "smart-tv", "smart tv", "smart_tv", "smarttv", "ce-html", "android tv",
        "android_tv", "google tv", "apple tv", "appletv", "webos.tv", "opera tv", "hbbtv",
        "_tv_", "tv safari", "safari/537.36 tv", " tv box", "tvbox", "tv stick", "set-top",
        "settop", "set top", "stb/", "stb ", "_stb", "-stb", "(ott", "_ott_", "ottbox",
        "panasonic.bd", "panasonic.tv", "bd player", "blu-ray", "mediabox", "media player/",
        "firetv", "fire tv", "tv shell", " shell ", "gw-device/", "mr-device/", "tivo-device",
        "lg browser/", "netcast.", "model/v", "linux mips;", "linux mips)", "linux mips ",
        "linux mipsel", "digital-tv", " vms/",
        "(linux armv", "(linux sh4", "espial", "netfrontnx", "sonybdp",
        "(qtembedded", "bdp-", "tvstick", "mediastick", "shield android", "nexus player",
        "tv/ap", "tcl/", "_tv ", "mygica", "projector", "philips tv", "hiplaya", "astro;",
        "amazon;aft", "; aft", "google fiber", "(dtv", "; dtv;", "aquos-", "aquos_tv", "aquos tv",
        "vestel-", "changhong-", "maple2", "maple 5", "maple 6",
        "vendor/",
        "dmp/", "2000-hd", "2000hd", "2000 hd", "_vlc/", "escape 5", "bhx-", "sony bdp",
        "wmarkx", "(tv;", "; tv;", " tv)", " tv;", "(stb", "livetv box", "tv-box", "tv_box",
        "android-tv", "family hub", "tata sky", "iptv box", "kdl-", "kdl4", "kdl5",
    )
)  # fmt: skip
# Phones and tablets whose User-Agents contain a television's word.
_NOT_TV = Phrases(
    (
        "iphone", "ipad", "windows phone", "joy_tv", "pbstb",
        "opera mobi", "maemo",
    )
)  # fmt: skip

_CARS = frozenset(
    (
        "qtcarbrowser", "vcc", "carpad", "aaos", "polestar", "dilink5", "dilink4", "dilink3",
        "dilink", "tesla", "rivian", "automotive", "kzcar", "caska", "headunit", "incar",
        "androidauto", "volvocars", "byd", "carplay", "teslabrowser", "mbux", "lucidmotors",
        "xpeng", "zeekr", "ivi", "genivi", "mib2", "mib3", "entune", "starlink_subaru",
        "ccnc", "sync3", "sync4", "mylink", "intellilink", "uconnect", "mercedesbenz",
        "gcar", "sdk_gcar", "comand", "ntg5", "ntg6", "idrive", "bmwconnected",
        "lixiang", "nio", "leapmotor", "ecarx", "aivi", "openrlink", "rlink", "adrenox",
        "xcarlink", "carlife", "headunits", "infotainment", "carbrowser", "webcar", "vinfast",
    )
)  # fmt: skip
# Apps of consoles' makers on phones, and phones whose User-Agents name the Xbox. Internet Explorer
# on an Xbox also says Windows Phone, but names no maker.
_CONSOLE_APPS = LinearPattern(r"cfnetwork/|windows phone")
_XBOX_EXPLORER = LinearPattern(r"iemobile/\d+\.\d+; xbox")
# Head units, by their makers and by the Allwinner, MediaTek and Unisoc boards in them.
_CAR_MODEL = re.compile(
    r"(?:quad|octa|octopus|ultra ?octa|hexa)[- ]?core[- ](?:t\d|r16|px)|ultraocta[- ]t|yt\d{4}"
    r"|mpc-\d"
    r"|f9212|sda-\d+tab|rear seat|benz|audi|bmw|porsche|mercedes|volkswagen|toyota|hyundai mob"
    r"|aftl[bf]t9|pro 84|vc8\d{3}|roik|mac audio|ff-5000|zq8003|dudu\d|\w+_bsp$|uis8581|sp9853i_"
    r"|carpad|px[356](?![a-z0-9])|ts\d{1,2}[- ]?car|teyes|joying|car[ _-]|8227l|ac8227|uis7862"
    r"|ums512|ts1[08](?![\d])|mtc[de]|k2001|k2501|k3001|mekede|isudar"
    r"|atoto|eonon|dasaita|xtrons|navifly|seicane|ownice|hizpo|podofo|sph-da|dmh-|ilx-|xav-"
    r"|geely|haval|zeekr"
    r"|xpeng|nio |volvo|renault|android auto|automotive|\w+automotive|fyt|hy1920|ks1280"
    r"|\w*(?:800|1024|1280|1920|2000)x(?:480|600|720|1200)|ac82\d\d|ac83|uis78\d\d|uis81|sc9853"
    r"|mt3561|mt8667|sa[68]155|msmnile|m501|m600$|cc[234](?:[ _-]?(?:plus|l|s)|$)|tpro|spro|junsun"
    r"|bonroad|aoocci|carlinkit|ottocast|binize|exploter|picasou|kingbeats|idoing|awesafe|vanku"
    r"|pumpkin|erisin|daiichi|avic|dmx-?\d|dnx|ddx|kw-[mvz]|clarion|phonocar|macrom|zenec|redpower"
    r"|farcar|roximo|witson|winca|mydean|incar|intro a|ahr-|parafar|vomi|navipilot|topway|roadrover"
    r"|saic|chery|exeed|jaecoo|omoda|changan|aion|leapmotor|hongqi (?!hq)|gwm|voyah|baic|jetour"
    r"|byd|denza|lixiang|li auto|lynk|ecarx|gminfo|gm info|chevrolet|cadillac|ford |lincoln|honda"
    r"|nissan|dpa(?! ?h)|infiniti|mitsubishi|toyota|lexus|mazda|subaru|kia |aivi"
    r"|hyundai (?:ccnc|gen)"
    r"|openrlink|stla|peugeot|citroen|opel(?! ?mobile)|skoda|seat |polestar (?!phone)|rivian"
    r"|lucid|vinfast|mahindra|adrenox|mercedes|ihu "
    r"|aosp_car|825x|apollo10|airtouch|car_|gcar|sdk_gcar|head ?unit"
    r"|(?:\w+[ _-])?(?:car|vehicle|ivi|dvd)(?:[ _]|-(?!an|lx|nx)|$)"
)

_HEADSETS = LinearPattern(
    r"oculusbrowser|picobrowser|vr safari|wolvic/|firefox ?reality|hololens|magic ?leap"
    r"|vive (?:focus|xr|flow)|(?:^|[^a-z])pico (?:neo|g[23]|[4-9])|standalone hmd|android xr"
    r"|like quest"
    r"|; quest(?:[;)]| (?:[23]s?|pro)(?:[;)]| build))"
)
_HEADSET_MODEL = re.compile(
    r"(?:meta )?quest (?:[23]s?|pro)$|pico (?:neo|g[23]|[4-9])|vive |standalone hmd|a8110$|sm-i610"
)
_SPEAKER_MODEL = re.compile(
    r"homepod|audioaccessory|aeobc$|echo dot|nest (?:mini|audio)|google home"
)
# Phones in a headset's frame.
_FRAMED_PHONES = Phrases(("; sm-", "; samsung sm-"))
_SPEAKERS = Phrases(
    (
        "homepod", "audioaccessory", "devicetype/smartspeaker", "alexamediaplayer", "echo/1.",
        "echo dot", "amazon echo", "amazon;echo;", "amazon;echo_dot", "amazon;echo_plus",
        "amazon;echo_studio", "amazon;echo_pop", "airpodcasts/", "sonos/", "sonos;",
        "google home", "googlehome", "nest mini", "nest audio", "aeobc", "soundtouch",
        "musiccast", "bluos",
    )
)  # fmt: skip
# Programs on phones, tablets and computers that control speakers.
_SPEAKER_CONTROLS = Phrases(("(acr_", "(icr", "(mdcr", "(wdcr", "(pcr"))

# Phones and tablets of the makes Tesla and Polestar.
_CAR_NAMED_PHONE = re.compile(r"tesla[_ ](?!qtcar)\w|polestar phone")

_CONSOLE = Classification(DeviceKind.CONSOLE, "console", "it names a game console")
_IS_CONSOLE_MODEL = Classification(
    DeviceKind.CONSOLE, "console-model", "its model is a game console"
)
_HEADSET = Classification(DeviceKind.HEADSET, "headset", "it names a headset or its browser")
_SPEAKER = Classification(DeviceKind.SPEAKER, "speaker", "it names a speaker without a screen")
_TV = Classification(DeviceKind.TV, "tv", "it names a television platform")
_CAR = Classification(DeviceKind.CAR, "car", "it names a car")
_IS_CAR_MODEL = Classification(DeviceKind.CAR, "car-model", "its model is a head unit for cars")
_MODELS = (
    (_CONSOLE_MODEL, _IS_CONSOLE_MODEL),
    (_HEADSET_MODEL, _HEADSET),
    (_SPEAKER_MODEL, _SPEAKER),
    (_CAR_MODEL, _IS_CAR_MODEL),
)


def find(text: UserAgentText, model: str) -> Classification | None:
    """Classify as a headset, a speaker, a console, a car or a television, in this order; None for
    other devices."""
    if _HEADSETS.occurs_in(text.low) and not _FRAMED_PHONES.occurs_in(text.low):
        return _HEADSET
    if _SPEAKERS.occurs_in(text.low) and not _SPEAKER_CONTROLS.occurs_in(text.low):
        return _SPEAKER
    named = by_model(model) if model else None
    if _names_console(text):
        return _CONSOLE
    if named is _IS_CONSOLE_MODEL:
        return named
    if text.says(_CARS) and not _CAR_NAMED_PHONE.search(text.low):
        return _CAR
    return named or _find_tv(text)


def _names_console(text: UserAgentText) -> bool:
    if not (text.says(_CONSOLES) or text.has(*_CONSOLE_PARTS)):
        return False
    return not _CONSOLE_APPS.occurs_in(text.low) or _XBOX_EXPLORER.occurs_in(text.low)


def by_model(model: str) -> Classification | None:
    """Classify as a console, a headset, a speaker or a car by the model alone; None for other
    models."""
    for shape, found in _MODELS:
        if shape.match(model):
            return found
    return None


def _find_tv(text: UserAgentText) -> Classification | None:
    """Televisions, set-top boxes, streaming sticks, disc players and signage."""
    if not (text.says(_TV_WORDS) or _TV_PARTS.occurs_in(text.low)):
        return None
    if _NOT_TV.occurs_in(text.low) and not text.has("appletv", "apple tv", "tcl/"):
        return None
    return _TV
