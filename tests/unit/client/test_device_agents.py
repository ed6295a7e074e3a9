"""Is each player recognised? One table of User-Agents: class, system, player."""

import pytest

from gateway.client.device import DeviceClassifier
from gateway.client.facts import DeviceKind

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"

# Each row: the operating system, the player, and the User-Agent that says so.
AGENTS: dict[str, tuple[tuple[str | None, str | None, str], ...]] = {
    "phone": (
        # Phones in browsers that do not say Mobile, or on a build that televisions also have.
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 4.0.4; GT-I9300 Build/IMM76D) {WEBKIT} "
                "Chrome/31.0.1650.57 Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            f"Mozilla/5.0 (Linux; Android 5.0.1; HTC One) {WEBKIT} Chrome/51.0 Safari/537.36",
        ),
        (
            "Android",
            "Edge",
            (
                f"Mozilla/5.0 (Linux; Android 9; Pixel Build/PPR2.181005.003.A1) {WEBKIT} "
                "Chrome/69.0.3497.86 Mobile Safari/537.36 EdgA/42.0.0.2804"
            ),
        ),
        (
            "Android",
            "UC Browser",
            (
                "UCWEB/2.0 (MIDP-2.0; U; Adr 4.4.2; mobile.facebook.com; SM-N9005) U2/1.0.0 "
                "UCBrowser/9.8.0.534 U2/1.0.0 Mobile"
            ),
        ),
        ("Android", None, "Amazon.com/24.12.6.100 (Android/10/JNY-LX1)"),
        # Phones of LG, which also makes televisions.
        (
            "Android",
            "Instagram",
            (
                "Mozilla/5.0 (Linux; Android 5.1.1; LGMS330 Build/LMY47V; wv) AppleWebKit/537.36 "
                "(KHTML, like Gecko) Version/4.0 Chrome/43.0.2357.65 Mobile Safari/537.36 "
                "Instagram 8.3.0 Android (22/5.1.1; 240dpi; 480x786; LGE/lge; LGMS330; m1; m1; "
                "en_US)"
            ),
        ),
        (None, "UP.Browser", "LGE-MX7000/1.0 UP.Browser/6.2.3.2 (GUI) MMP/2.0"),
        (None, "NetFront", "LGE-VM510 NetFront/3.5.1 (GUI) MMP/2.0"),
        (None, "Teleca Browser", "Mozilla/5.0 (compatible; Teleca Q7; Brew 3.1.5; en) LGE VX9700"),
        # Phones whose User-Agents name the Xbox.
        (
            "Windows Phone",
            "Edge",
            (
                "Mozilla/5.0 (Windows Phone 10.0; Android 4.2.1; Xbox; Xbox One) "
                f"{WEBKIT} Chrome/42.0.2311.135 Safari/537.36 Edge/12.10166"
            ),
        ),
        (
            "Windows Phone",
            "Edge",
            (
                "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950; Xbox) "
                f"{WEBKIT} Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063"
            ),
        ),
        # Puffin runs on a server, and says at the end for whom.
        ("iOS", "Puffin", f"Mozilla/5.0 (X11; U; Linux x86_64) {WEBKIT} Puffin/4.4.1IP"),
        ("Android", "Puffin", f"Mozilla/5.0 (X11; U; Linux x86_64) {WEBKIT} Puffin/4.4.1AP"),
        ("Symbian OS", "WhatsApp", "WhatsApp/2.11.107 S60Version/3.1 Device/Nokia-6110-(02.01)"),
        (  # a build for televisions on a phone's model
            "Android",
            "Android WebView",
            (
                f"Mozilla/5.0 (Linux; Android 9; SM-J510F Build/PPR2.181005.003; wv) {WEBKIT} "
                "Version/4.0 Chrome/70.0.3538.80 Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "Android Browser",
            (
                "Mozilla/5.0 (Linux; U; Android 4.0.4; en-us; A1 Build/X) AppleWebKit/534.30 "
                "(KHTML, like Gecko) Version/4.0 Mobile Safari/534.30"
            ),
        ),
        (
            "Android",
            "Android Browser",
            (
                "Mozilla/5.0 (Linux; U; Android 4.0.4; en-us; A1 Build/X) AppleWebKit/534.30 "
                "(KHTML, like Gecko) Dolphin/1 Version/4.0 Mobile Safari/534.30"
            ),
        ),
        (
            "Android",
            "Yandex Browser",
            f"Mozilla/5.0 (Linux; Android 12; A1) {WEBKIT} Chrome/110.0 YaBrowser/23.3 Mobile",
        ),
        (
            "iOS",
            "Safari",
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
            ),
        ),
        (
            "iOS",
            "Chrome",
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) CriOS/120.0.6099.119 Mobile/15E148 Safari/604.1"
            ),
        ),
        (
            "iOS",
            "Firefox",
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) FxiOS/119.0 Mobile/15E148 Safari/605.1.15"
            ),
        ),
        (
            "iOS",
            "WKWebView",
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 14_4 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Mobile/15E148"
            ),
        ),
        (
            "iOS",
            "Safari",
            (
                "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_5_7 like Mac OS X) "
                "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 "
                "Safari/604.1"
            ),
        ),
        (
            "iOS",
            "AVPlayer",
            "AppleCoreMedia/1.0.0.21F90 (iPhone; U; CPU OS 17_5_1 like Mac OS X; en_us)",
        ),
        ("iOS", None, "AcmePlay/4.2 (com.acme.play; build:77; iOS 16.3.1) Alamofire/5.6.4"),
        ("iOS", None, "AcmeTube/9.1 (iPhone14,2; iOS 17.1; Scale/3.00)"),
        (
            "Android",
            "Chrome",
            (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/124.0.0.0 Mobile Safari/537.36"),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro) {WEBKIT} Chrome/120.0.6099.144 "
                "Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 13; SM-S918B) {WEBKIT} Chrome/118.0.0.0 Mobile "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Samsung Internet",
            (
                f"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-A536B) {WEBKIT} SamsungBrowser/23.0 "
                "Chrome/115.0.0.0 Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "Android WebView",
            (
                f"Mozilla/5.0 (Linux; Android 12; M2101K6G Build/SKQ1.210908.001; wv) {WEBKIT} "
                "Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "MiuiBrowser",
            (
                "Mozilla/5.0 (Linux; U; Android 11; en-us; Redmi Note 8 Build/RKQ1.201004.002) "
                f"{WEBKIT} Version/4.0 Chrome/100.0.4896.127 Mobile Safari/537.36 "
                "XiaoMi/MiuiBrowser/13.12.0-gn"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 9; CUBOT X19) {WEBKIT} Chrome/80.0.3987.99 Mobile "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 7.0; GM Discovery II) {WEBKIT} Chrome/81.0.4044.138 "
                "Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "Edge",
            (
                f"Mozilla/5.0 (Linux; Android 11; motorola edge 20) {WEBKIT} Chrome/96.0.4664.45 "
                "Mobile Safari/537.36 EdgA/96.0.1054.36"
            ),
        ),
        (
            "Android",
            "Huawei Browser",
            (
                f"Mozilla/5.0 (Linux; Android 10; HUAWEI P30) {WEBKIT} Chrome/99.0.4844.88 "
                "HuaweiBrowser/13.0.1.303 Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "Firefox",
            "Mozilla/5.0 (Android 13; Mobile; rv:120.0) Gecko/120.0 Firefox/120.0",
        ),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A.220624.014)"),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 12; CPH2269 Build/SP1A.210812.016)"),
        (
            "Android",
            "media3",
            (
                "AcmePlay/5.0.2 (Linux; U; Android 14; en_GB; Pixel 7; Build/UQ1A.240205.002) "
                "AndroidXMedia3/1.3.1"
            ),
        ),
        (
            "Android",
            "Android Browser",
            (
                "Mozilla/5.0 (Linux; U; Android 2.3.6; en-us; GT-S5830 Build/GINGERBREAD) "
                "AppleWebKit/533.1 (KHTML, like Gecko) Version/4.0 Mobile Safari/533.1"
            ),
        ),
        (
            "Windows Phone",
            "IE Mobile",
            (
                "Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; "
                "IEMobile/10.0; ARM; Touch; NOKIA; Lumia 920)"
            ),
        ),
        (
            "Windows Phone",
            "Edge",
            (
                f"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) {WEBKIT} "
                "Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15254"
            ),
        ),
        (
            "KaiOS",
            "Firefox",
            "Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5.1",
        ),
        (
            None,
            "Opera Mini",
            (
                "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/191.308; U; en) Presto/2.12.423 "
                "Version/12.16"
            ),
        ),
        (
            "Symbian OS",
            "Nokia Browser",
            (
                "Mozilla/5.0 (SymbianOS/9.4; Series60/5.0 NokiaN97-1/20.0.019; Profile/MIDP-2.1 "
                "Configuration/CLDC-1.1) AppleWebKit/525 (KHTML, like Gecko) BrowserNG/7.1.18124"
            ),
        ),
        (
            "BlackBerry OS",
            "BlackBerry",
            "BlackBerry9700/5.0.0.862 Profile/MIDP-2.1 Configuration/CLDC-1.1 VendorID/120",
        ),
        (
            "BlackBerry OS",
            "BlackBerry WebKit",
            (
                "Mozilla/5.0 (BB10; Touch) AppleWebKit/537.10+ (KHTML, like Gecko) "
                "Version/10.0.9.2372 Mobile Safari/537.10+"
            ),
        ),
        (
            "Tizen",
            "Safari",
            (
                "Mozilla/5.0 (Linux; Tizen 2.4; SAMSUNG SM-Z130H) AppleWebKit/537.3 (KHTML, like "
                "Gecko) Version/2.4 Mobile Safari/537.3"
            ),
        ),
        (
            "Android",
            "UC Browser",
            (
                "UCWEB/2.0 (MIDP-2.0; U; Adr 4.4.2; en-US; Micromax_A106) U2/1.0.0 "
                "UCBrowser/10.7.9.856 U2/1.0.0 Mobile"
            ),
        ),
    ),
    "tablet": (
        (
            "Android",
            "Android Browser",
            (
                "Mozilla/5.0 (Linux; U; Android 4.2.2; es-es; MID Build/JDQ39) AppleWebKit/534.30 "
                "(KHTML, like Gecko) Version/4.0 Mobile Safari/534.30"
            ),
        ),
        (  # Android by its build
            "Android",
            "Chrome",
            f"Mozilla/5.0 (Linux; Nexus 7 Build/JRO03D) {WEBKIT} Chrome/18.0 Safari/535.19",
        ),
        (
            "iOS",
            "Puffin",
            (
                "Mozilla/5.0 (X11; U; Linux x86_64; nl-NL@calendar=japanese) "
                f"{WEBKIT} Puffin/3.10623IT"
            ),
        ),
        ("Android", "Puffin", f"Mozilla/5.0 (X11; U; Linux x86_64) {WEBKIT} Puffin/6.0.7.15747AT"),
        ("iOS", "Puffin", f"Mozilla/5.0 (X11; U; Linux x86_64) {WEBKIT} Puffin/4.4.1IT"),
        (
            "iPadOS",
            None,
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_4) {WEBKIT} Mobile/15E148",
        ),
        (
            "iPadOS",
            "Chrome",
            (
                f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} CriOS/140 "
                "Version/11.1.1 Safari/605.1.15"
            ),
        ),
        ("iOS", None, "Linux UPnP/1.0 Sonos/61.1-82310 (ICRU_iPad7,1)"),
        (
            "Android",
            "Android WebView",
            (
                f"Mozilla/5.0 (Linux; Android 7.1.2; AEOCH Build/NS6548; wv) {WEBKIT} Version/4.0 "
                "Chrome/92.0.4515.115 Mobile Safari/537.36"
            ),
        ),
        (
            "iPadOS",
            "Safari",
            (
                "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
                "Gecko) Version/16.6 Mobile/15E148 Safari/604.1"
            ),
        ),
        (
            "iOS",
            "Safari",
            (
                "Mozilla/5.0 (iPad; CPU OS 9_3_5 like Mac OS X) AppleWebKit/601.1.46 (KHTML, like"
                " Gecko) Version/9.0 Mobile/13G36 Safari/601.1"
            ),
        ),
        (
            "iPadOS",
            "AVPlayer",
            "AppleCoreMedia/1.0.0.21F90 (iPad; U; CPU OS 17_5_1 like Mac OS X; en_us)",
        ),
        ("iPadOS", None, "AcmePlay/4.2 (iPad13,4; iPadOS 17.2)"),
        (
            "Android",
            "Chrome",
            f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/124.0.0.0 Safari/537.36",
        ),
        (
            "Android",
            "Chrome",
            (f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {WEBKIT} Chrome/119.0.0.0 Safari/537.36"),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 11; SM-T500) {WEBKIT} Chrome/110.0.0.0 Mobile "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            f"Mozilla/5.0 (Linux; Android 12; SM-P613) {WEBKIT} Chrome/112.0.0.0 Safari/537.36",
        ),
        (
            "Android",
            "Android WebView",
            (
                "Mozilla/5.0 (Linux; Android 10; Lenovo TB-X606F Build/QP1A.190711.020; wv) "
                f"{WEBKIT} Version/4.0 Chrome/83.0.4103.106 Safari/537.36"
            ),
        ),
        (
            "Fire OS",
            "Android WebView",
            (
                f"Mozilla/5.0 (Linux; Android 9; KFMAWI Build/PS7312.2613N; wv) {WEBKIT} "
                "Version/4.0 Chrome/88.0.4324.152 Safari/537.36"
            ),
        ),
        (
            "Fire OS",
            "Amazon Silk",
            (
                "Mozilla/5.0 (Linux; U; Android 4.0.3; en-us; KFTT Build/IML74K) "
                "AppleWebKit/535.19 (KHTML, like Gecko) Silk/3.13 Safari/535.19 "
                "Silk-Accelerated=true"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 8.0.0; BAH2-W19) {WEBKIT} Chrome/85.0.4183.101 "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 10; HUAWEI MatePad Pro) {WEBKIT} "
                "Chrome/92.0.4515.105 Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 13; 23043RP34G) {WEBKIT} Chrome/117.0.0.0 Mobile "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 7) {WEBKIT} Chrome/79.0.3945.116 "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 8.1.0; Pixel C) {WEBKIT} Chrome/70.0.3538.80 "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Firefox",
            "Mozilla/5.0 (Android 11; Tablet; rv:109.0) Gecko/115.0 Firefox/115.0",
        ),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 9; SM-T515 Build/PPR1.180610.011)"),
        ("Android", None, "Dalvik/1.6.0 (Linux; U; Android 4.4.2; PMT3017_WI Build/KOT49H)"),
        (
            "Android",
            "ExoPlayer",
            "AcmePlay/2.0 (Android 11; samsung SM-T870; tablet) ExoPlayerLib/2.14.2",
        ),
        (
            "BlackBerry Tablet OS",
            "BlackBerry WebKit",
            (
                "Mozilla/5.0 (PlayBook; U; RIM Tablet OS 2.1.0; en-US) AppleWebKit/536.2+ (KHTML,"
                " like Gecko) Version/7.2.1.0 Safari/536.2+"
            ),
        ),
        (
            "Linux",
            "webOS Browser",
            (
                "Mozilla/5.0 (hp-tablet; Linux; hpwOS/3.0.5; U; en-US) AppleWebKit/534.6 (KHTML, "
                "like Gecko) wOSBrowser/234.83 Safari/534.6 TouchPad/1.0"
            ),
        ),
        (
            "Windows",
            "IE",
            "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; ARM; Trident/6.0; Touch)",
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 12; Tab 8 WiFi) {WEBKIT} Chrome/105.0.0.0 Mobile "
                "Safari/537.36"
            ),
        ),
    ),
    "desktop": (
        (
            "Windows",
            "IE",
            "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; Supplied by Tesco.net; rv:11.0) like Gecko",
        ),
        (
            "Windows",
            "IE",
            "Mozilla/5.0 (Windows NT 6.3; WOW64; Trident/7.0; Touch; MASMJS; rv:11.0) like Gecko",
        ),
        (
            "Windows",
            "IE",
            (
                "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; WOW64; Trident/4.0; PBSTB 1.2; "
                "eSobiSubscriber 2.0.4.16)"
            ),
        ),
        (  # a person who reads through a translator
            "Windows",
            "Opera",
            (
                "Opera/9.80 (Windows NT 5.1; U; ja) Presto/2.5.22 Version/10.51,gzip(gfe) "
                "(via translate.google.com)"
            ),
        ),
        ("Linux", None, "Linux UPnP/1.0 Sonos/54.2-72031 (MDCR_MacBookPro14,1)"),
        (
            "Windows",
            "Chrome",
            (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/124.0.0.0 Safari/537.36"),
        ),
        (
            "Windows",
            "Edge",
            (
                f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/124.0.0.0 "
                "Safari/537.36 Edg/124.0.0.0"
            ),
        ),
        (
            "Windows",
            "Opera",
            (
                f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/69.0.3497.100 "
                "Safari/537.36 OPR/56.0.3051.52"
            ),
        ),
        (
            "Windows",
            "Firefox",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0",
        ),
        ("Windows", "IE", "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko"),
        ("Windows", "IE", "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)"),
        (
            "Windows",
            "Electron",
            (
                f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} AcmeDesk/2.1.0 "
                "Chrome/112.0.5615.204 Electron/24.4.0 Safari/537.36"
            ),
        ),
        (
            "macOS",
            "Safari",
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, "
                "like Gecko) Version/17.4.1 Safari/605.1.15"
            ),
        ),
        (
            "macOS",
            "Safari",
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_13_6) AppleWebKit/605.1.15 (KHTML, "
                "like Gecko) Version/11.1.2 Safari/605.1.15"
            ),
        ),
        (
            "macOS",
            "Safari",
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_5) AppleWebKit/600.8.9 (KHTML, like "
                "Gecko) Version/7.1.8 Safari/537.85.17"
            ),
        ),
        (
            "macOS",
            "Chrome",
            (
                f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/123.0.0.0 "
                "Safari/537.36"
            ),
        ),
        (
            "macOS",
            "Firefox",
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:60.0) Gecko/20100101 Firefox/60.0"),
        ),
        (
            "macOS",
            "AVPlayer",
            "AppleCoreMedia/1.0.0.23F79 (Macintosh; U; Intel Mac OS X 14_5; en_us)",
        ),
        (
            "macOS",
            "CFNetwork",
            "Safari/9537.75.14 CFNetwork/673.4 Darwin/13.1.0 (x86_64) (Macmini6%2C2)",
        ),
        (None, "QuickTime", "QuickTime/7.6.6 (qtver=7.6.6;cpu=IA32;os=Mac 10.6.8)"),
        (
            "ChromeOS",
            "Chrome",
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/120.0.0.0 Safari/537.36",
        ),
        (
            "Linux",
            "Chrome",
            f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/122.0.0.0 Safari/537.36",
        ),
        (
            "Linux",
            "Firefox",
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0",
        ),
        (
            "FreeBSD",
            "Firefox",
            "Mozilla/5.0 (X11; FreeBSD amd64; rv:109.0) Gecko/20100101 Firefox/115.0",
        ),
        ("Linux", "Kodi", "Kodi/20.2 (X11; Linux x86_64) Ubuntu/22.04 App_Bitness/64 Version/20.2"),
        (
            "Windows",
            "Kodi",
            "Kodi/19.4 (Windows NT 10.0.22621; Win64; x64) App_Bitness/64 Version/19.4",
        ),
        ("Windows", "Windows Media Player", "NSPlayer/12.00.19041.1 WMFSDK/12.00 Windows NT 10.0"),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 9; HP Chromebook x360 14 G1) {WEBKIT} "
                "Chrome/104.0.5112.105 Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 7.1.1; Inspiron 3542) {WEBKIT} Chrome/73.0.3683.90 "
                "Safari/537.36"
            ),
        ),
        ("Windows", "Opera", "Opera/9.80 (Windows NT 6.1; U; en) Presto/2.10.289 Version/12.02"),
    ),
    "tv": (
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 9; AI PONT Build/PPR1.180610.011)"),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 9; B866 Build/PPR1.180610.011)"),
        (
            "Android",
            "Chrome",
            f"Mozilla/5.0 (Linux; Android 6.0.1; QM152E) {WEBKIT} Chrome/83.0 Safari/537.36",
        ),
        # A smart display has a screen.
        (
            "Cast OS",
            "Cast",
            f"Mozilla/5.0 (Fuchsia) {WEBKIT} Chrome/90.0.4430.225 Safari/537.36 CrKey/1.56.500000",
        ),
        (
            "tvOS",
            "AVPlayer",
            "AppleCoreMedia/1.0.0.21L569 (Apple TV; U; CPU OS 17_5_1 like Mac OS X; en_us)",
        ),
        ("tvOS", None, "AcmePlay/8.2 (AppleTV14,1; tvOS 17.4)"),
        ("tvOS", None, "AcmePlay/8.2 (AppleTV5,3; tvOS 15.6; Scale/1.00)"),
        ("Roku OS", "Roku", "Roku/DVP-12.5 (12.5.0.4178-55)"),
        ("Roku OS", "Roku", "Roku4640X/DVP-7.70 (297.70E04154A)"),
        ("Roku OS", "Roku", "Roku3800X/DVP-9.10 (519.10E04111A)"),
        (
            "Tizen",
            "Safari",
            (
                f"Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) {WEBKIT} 76.0.3809.146/6.0 TV "
                "Safari/537.36"
            ),
        ),
        (
            "Tizen",
            "Safari",
            (
                "Mozilla/5.0 (SMART-TV; Linux; Tizen 2.4.0) AppleWebKit/538.1 (KHTML, like Gecko)"
                " Version/2.4.0 TV Safari/538.1"
            ),
        ),
        (
            "Linux",
            "Safari",
            (
                "Mozilla/5.0 (SmartHub; SMART-TV; U; Linux/SmartTV; Maple2012) AppleWebKit/534.7 "
                "(KHTML, like Gecko) SmartTV Safari/534.7"
            ),
        ),
        (
            "webOS",
            "Chrome",
            (
                f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/94.0.4606.128 Safari/537.36 "
                "WebAppManager"
            ),
        ),
        (
            "webOS",
            "HbbTV",
            (
                f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/79.0.3945.79 Safari/537.36 "
                "HbbTV/1.5.1 (+DRM; LGE; OLED55CX6LA; WEBOS5.0 04.40.75; W50_O20N; DTV_W20P;)"
            ),
        ),
        (
            "NetCast",
            None,
            (
                "Mozilla/5.0 (DirectFB; Linux armv7l) AppleWebKit/534.26+ (KHTML, like Gecko) "
                "Version/5.0 Safari/534.26+ LG Browser/5.00.00(+mouse+SCREEN+TUNER; LGE; "
                "42LW5700; 04.62.10; 0x00000001;); LG NetCast.TV-2012"
            ),
        ),
        (
            "Android",
            "Android WebView",
            (
                "Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2 Build/PTT1.190515.001.S52; wv) "
                f"{WEBKIT} Version/4.0 Chrome/91.0.4472.101 Safari/537.36"
            ),
        ),
        (
            "Linux",
            "Opera",
            (
                "Opera/9.80 (Linux armv7l; InettvBrowser/2.2 (00014A;SonyDTV140;0001;0001) "
                "KDL40W605B; CC/DEU) Presto/2.12.407 Version/12.50"
            ),
        ),
        (
            "FreeBSD",
            "Chrome",
            (
                "Mozilla/5.0 (FreeBSD; U; Viera; de-DE) AppleWebKit/537.11 (KHTML, like Gecko) "
                "Viera/3.10.0 Chrome/23.0.1271.97 Safari/537.11"
            ),
        ),
        (
            "Linux",
            "HbbTV",
            (
                "Opera/9.80 (Linux mips; U; HbbTV/1.1.1 (; Philips; ; ; PhilipsTV; ) CE-HTML/1.0 "
                "NETTV/4.2.0; en) Presto/2.10.287 Version/12.00"
            ),
        ),
        ("Panasonic", "HbbTV", "HbbTV/1.2.1 (;Panasonic;VIERA 2014;3.101;6101-0003 0010-0000;)"),
        (
            "Linux",
            "HbbTV",
            (
                f"Mozilla/5.0 (Linux armv7l) {WEBKIT} Chrome/84.0.4147.140 Safari/537.36 "
                "OPR/46.0.2207.0 OMI/4.21.4.112 Model/Vestel-MB230 VSTVB MB200 HbbTV/1.4.1 (; "
                "TOSHIBA; MB230; 1.0; ; _TV_;) SmartTvA/3.0.0"
            ),
        ),
        (
            "VIDAA",
            "Odin",
            (
                f"Mozilla/5.0 (X11; Linux aarch64) {WEBKIT} Chrome/111.0.5563.146 "
                "Odin/111.5563.5.1 Safari/537.36 Model/VIDAA-NT72690 "
                "VIDAA/9.0(HISENSE;SmartTV;55A6;UHD)"
            ),
        ),
        (
            "Cast OS",
            "Cast",
            (
                f"Mozilla/5.0 (X11; Linux armv7l) {WEBKIT} Chrome/90.0.4430.225 Safari/537.36 "
                "CrKey/1.56.500000 DeviceType/Chromecast"
            ),
        ),
        (
            "Cast OS",
            "Cast",
            f"Mozilla/5.0 (CrKey armv7l 1.5.16041) {WEBKIT} Chrome/31.0.1650.0 Safari/537.36",
        ),
        (
            "Cast OS",
            "Cast",
            (
                f"Mozilla/5.0 (X11; Linux armv7l) {WEBKIT} Chrome/108.0.5359.124 Safari/537.36 "
                "CrKey/1.0.999999 VIZIO SmartCast(Conjure/MTKC-108 FW/1.710 Model/V435-J01)"
            ),
        ),
        (
            "Android",
            "Android WebView",
            (
                f"Mozilla/5.0 (Linux; Android 12; Chromecast Build/STTE.231215.005; wv) {WEBKIT} "
                "Version/4.0 Chrome/119.0.6045.193 Mobile Safari/537.36"
            ),
        ),
        ("Fire OS", None, "Dalvik/2.1.0 (Linux; U; Android 9; AFTMM Build/PS7649.3525N)"),
        ("Fire OS", None, "Dalvik/2.1.0 (Linux; U; Android 7.1.2; AFTM Build/NS6291)"),
        (
            "Fire OS",
            "Android WebView",
            (
                f"Mozilla/5.0 (Linux; Android 5.1.1; AFTT Build/LVY48F; wv) {WEBKIT} Version/4.0 "
                "Chrome/59.0.3071.125 Mobile Safari/537.36"
            ),
        ),
        (
            "Fire OS",
            "media3",
            (
                "AcmePlay/1.0 (Linux; U; Android 11; en_US; AFTKA; Build/RS8118) "
                "AndroidXMedia3/1.2.0"
            ),
        ),
        (
            "Android",
            None,
            "Dalvik/2.1.0 (Linux; U; Android 11; SHIELD Android TV Build/RQ1A.210105.003)",
        ),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 9; MIBOX4 Build/PI)"),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 9; BeyondTV5 Build/PPR1.180610.011)"),
        (
            "Android",
            "Android WebView",
            (
                f"Mozilla/5.0 (Linux; Android 11; 43LU8010T Build/RP1A.200720.011; wv) {WEBKIT} "
                "Version/4.0 Chrome/83.0.4103.120 Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 9; X96Max_Plus Build/PPR1.180610.011) {WEBKIT} "
                "Chrome/84.0.4147.89 Mobile Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 11; unnamed Build/RTT7.210923.001) {WEBKIT} "
                "Chrome/99.0.4844.88 Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                "Mozilla/5.0 (Linux; GoogleTV 3.2; VAP430 Build/MASTER) AppleWebKit/534.24 "
                "(KHTML, like Gecko) Chrome/11.0.696.77 Safari/534.24"
            ),
        ),
        (
            "Linux",
            "MAG",
            (
                "Mozilla/5.0 (QtEmbedded; U; Linux; C) AppleWebKit/533.3 (KHTML, like Gecko) "
                "MAG254 stbapp ver: 4 rev: 2721 Mobile Safari/533.3"
            ),
        ),
        ("Android", "TiviMate", "TiviMate/4.7.0 (SDMC D1221; Android 11)"),
        (
            "Linux",
            "Qt Web Engine",
            (
                f"Mozilla/5.0 (X11; Linux armv7l) {WEBKIT} QtWebEngine/5.6.0 Chrome/45.0.2454.101 "
                "Safari/537.36 GW-Device/1.0.0 (Sky, ES140, )"
            ),
        ),
        (
            "Linux",
            "Qt Web Engine",
            (
                f"BrightSign/8.2.35.4 (XT1144) Mozilla/5.0 (X11; Linux aarch64) {WEBKIT} "
                "QtWebEngine/5.12.3 Chrome/69.0.3497.128 Safari/537.36"
            ),
        ),
        (
            "Linux",
            "Opera",
            (
                "Opera/9.80 (Linux armv6l; Opera TV Store/5581) Presto/2.12.362 Version/12.11 "
                "Blu-ray Player/v00.17 (Pioneer, BDP-160, wired)"
            ),
        ),
        (None, None, "DLNADOC/1.50 SHARP-AQUOS-DMP/2.0W"),
        ("SmartCast", None, "VIZIO V655-J09 ViziOS/1.4.512.847.1 WatchFree/24.06.13.2"),
        (
            "Android",
            "Kodi",
            (
                "Kodi/20.2 (Linux; Android 11; SHIELD Android TV Build/RQ1A.210105.003) "
                "Android/11.0.0 Version/20.2"
            ),
        ),
    ),
    "console": (
        (
            "Windows Phone",
            "IE Mobile",
            (
                "Mozilla/5.0 (compatible; MSIE 9.0; Windows Phone OS 7.5; Trident/5.0; "
                "IEMobile/9.0; Xbox)"
            ),
        ),
        (
            "PlayStation",
            "Safari",
            (
                "Mozilla/5.0 (PlayStation; PlayStation 5/6.00) AppleWebKit/605.1.15 (KHTML, like "
                "Gecko) Version/15.4 Safari/605.1.15"
            ),
        ),
        (
            "PlayStation",
            None,
            "Mozilla/5.0 (PlayStation 4 11.00) AppleWebKit/605.1.15 (KHTML, like Gecko)",
        ),
        ("PlayStation", None, "Mozilla/5.0 (PlayStation 4 Pro 5.0)"),
        (
            "PlayStation",
            "NetFront NX",
            "Mozilla/5.0 (PLAYSTATION 3 4.90) AppleWebKit/531.22.8 (KHTML, like Gecko)",
        ),
        (
            "PlayStation",
            "NetFront NX",
            ("Mozilla/5.0 (PlayStation Vita 3.65) AppleWebKit/537.73 (KHTML, like Gecko) Silk/3.2"),
        ),
        (
            "Xbox",
            "Edge",
            (
                f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) {WEBKIT} "
                "Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0"
            ),
        ),
        (
            "Xbox",
            "Edge",
            (
                f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {WEBKIT} "
                "Chrome/58.0.3029.110 Safari/537.36 Edge/16.16299"
            ),
        ),
        ("Xbox", "IE", "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0; Xbox)"),
        (
            "Nintendo",
            None,
            (
                "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, like "
                "Gecko) NF/6.0.2.21.3 NintendoBrowser/5.1.0.22474"
            ),
        ),
        (
            "Nintendo",
            "NetFront NX",
            (
                "Mozilla/5.0 (Nintendo WiiU) AppleWebKit/536.30 (KHTML, like Gecko) NX/3.0.4.2.12"
                " NintendoBrowser/4.3.1.11264.US"
            ),
        ),
        ("Nintendo", "Opera", "Opera/9.30 (Nintendo Wii; U; ; 3642; en)"),
        ("Nintendo", "NetFront NX", "Mozilla/5.0 (Nintendo 3DS; U; ; en) Version/1.7498.EU"),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 12; RG505) {WEBKIT} Chrome/104.0.0.0 Mobile "
                "Safari/537.36"
            ),
        ),
        (
            "Linux",
            "Chrome",
            (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36 SteamDeck"),
        ),
    ),
    "headset": (
        (
            "visionOS",
            "AVPlayer",
            "AppleCoreMedia/1.0.0.22N580 (Apple Vision; U; CPU OS 2_0 like Mac OS X; en_us)",
        ),
        ("visionOS", None, "AcmePlay/3 (RealityDevice14,1; build 1; en)"),
        (
            "visionOS",
            "AVPlayer",
            (
                "AppleCoreMedia/1.0.0.22O473 (Apple Vision Pro; U; CPU OS 2_2 like Mac OS X; "
                "visionOS 2.2)"
            ),
        ),
        (
            "Linux",
            "Oculus Browser",
            (
                "Mozilla/5.0 (X11; Linux x86_64; Quest 3) AppleWebKit/537.36 (KHTML, like Gecko) "
                "OculusBrowser/32.1 Chrome/122.0.6261.64 VR Safari/537.36"
            ),
        ),
        (
            "Android",
            "Yandex Browser",
            (
                "Mozilla/5.0 (Linux; arm_64; Android 14; Quest 3S) AppleWebKit/537.36 (KHTML, "
                "like Gecko) Chrome/134.0.6998.111 YaBrowser/25.4.4.111.01 Safari/537.36"
            ),
        ),
        (
            "Linux",
            "Oculus Browser",
            (
                "Mozilla/5.0 (X11; Linux x86_64; PICO 4 OS5.4.0 like Quest) AppleWebKit/537.36 "
                "(KHTML, like Gecko) PicoBrowser/3.3.22 Chrome/105.0.5195.68 VR Safari/537.36 "
                "OculusBrowser/7.0"
            ),
        ),
    ),
    "speaker": (
        (
            "audioOS",
            "AVPlayer",
            ("AppleCoreMedia/1.0.0.15F80 (HomePod; U; CPU OS 11_4 like Mac OS X; fr_fr)"),
        ),
        ("audioOS", None, "AudioAccessory5,1/17.4"),
        ("Linux", None, "Linux UPnP/1.0 Sonos/61.1-83170 (ZPS1)"),
        (None, None, "Sonos;One;9b377073ea334637b1406f329ce005de;;tpapi;3.81.91"),
        (
            "Cast OS",
            "Cast",
            (
                "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/90.0.4430.225 Safari/537.36 CrKey/1.56.500000 DeviceType/SmartSpeaker"
            ),
        ),
        (
            "Android",
            "ExoPlayer",
            ("AlexaMediaPlayer/2.0.201528.0 (Linux;Android 5.1.1) ExoPlayerLib/1.5.9"),
        ),
        (None, None, "Echo/1.0(APNG)"),
    ),
    "car": (
        ("Linux", None, "Mozilla/5.0 (Linux; MBUX) Acme/1.0"),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 11; sdk_gcar_x86 Build/X)"),
        (
            "Linux",
            "Chrome",
            (
                f"Mozilla/5.0 (X11; GNU/Linux) {WEBKIT} Chrome/109.0.5414.119 Safari/537.36 "
                "Tesla/2023.20.9-a5b2c3d4"
            ),
        ),
        (
            "Linux",
            "QtCarBrowser",
            (
                "Mozilla/5.0 (X11; u; Linux; C) AppleWebKit /533.3 (Khtml, like Gheko) "
                "QtCarBrowser Safari/533.3"
            ),
        ),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 10; Polestar Build/QA1A.210116.001)"),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 9; QUAD-CORE T3 p1) {WEBKIT} Chrome/98.0.4758.101 "
                "Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 12; DiLink5.0 For BYD AUTO) {WEBKIT} "
                "Chrome/109.0.5414.86 Safari/537.36"
            ),
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 8.1.0; 8227L_demo) {WEBKIT} Chrome/87.0.4280.101 "
                "Safari/537.36"
            ),
        ),
    ),
    "bot": (
        (None, None, "AngleSharp/0.9.9"),
        (None, None, "mio_httpc 0.9.4"),
        (
            "Linux",
            None,
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) wkhtmltoimage",
        ),
        (None, None, "Assetnote/1.0.0"),
        (None, None, "Sprinklr 2.0"),
        (None, "Java", "Java/1.8.0_201"),
        (
            "Windows",
            "Chrome",
            f"Mozilla/5.0 (Windows NT 10.0; Win64) {WEBKIT} Chrome/91.0 Silktide",
        ),
        (
            None,
            "Googlebot",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        ),
        (
            "Android",
            "Googlebot",
            (
                f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {WEBKIT} "
                "Chrome/120.0.6099.71 Mobile Safari/537.36 (compatible; Googlebot/2.1; "
                "+http://www.google.com/bot.html)"
            ),
        ),
        (
            "iOS",
            "Applebot",
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 8_3 like Mac OS X) AppleWebKit/600.1.4 "
                "(KHTML, like Gecko) Version/8.0 Mobile/12F70 Safari/600.1.4 (compatible; "
                "Applebot/0.1)"
            ),
        ),
        (
            None,
            "bingbot",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        ),
        (None, "YandexBot", "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)"),
        (
            None,
            "Baiduspider",
            ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)"),
        ),
        (
            None,
            "FacebookBot",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        ),
        (None, "Twitterbot", "Twitterbot/1.0"),
        (
            None,
            "Slackbot-LinkExpanding",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        ),
        (None, "WhatsApp", "WhatsApp/2.23.20.0 A"),
        (None, "TelegramBot", "TelegramBot (like TwitterBot)"),
        (None, "AhrefsBot", "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"),
        (
            "Linux",
            "HeadlessChrome",
            f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/120.0.0.0 Safari/537.36",
        ),
        (
            "Android",
            "Chrome",
            (
                f"Mozilla/5.0 (Linux; Android 11; moto g power (2022)) {WEBKIT} Chrome/119.0.0.0 "
                "Mobile Safari/537.36 Chrome-Lighthouse"
            ),
        ),
        (None, "Mediapartners-Google", "Mediapartners-Google"),
        (None, None, "Google-Read-Aloud"),
        (None, "curl", "curl/8.5.0"),
        (None, "Wget", "Wget/1.21.4"),
        (None, "Python Requests", "python-requests/2.31.0"),
        (None, "Go-http-client", "Go-http-client/2.0"),
        (None, "Apache-HttpClient", "Apache-HttpClient/4.5.13 (Java/11.0.20)"),
        (None, "Scrapy", "Scrapy/2.11.0 (+https://scrapy.org)"),
        (
            None,
            "UptimeRobot",
            "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        ),
        (None, "PingdomBot", "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)"),
        (None, None, "check_http/v2.3.3 (nagios-plugins 2.3.3)"),
        (None, None, "kube-probe/1.27 health check"),
        (None, "GPTBot", "GPTBot/1.0 (+https://openai.com/gptbot)"),
        (None, None, "Mozilla/5.0 zgrab/0.x"),
        (None, None, "Hello World"),
        (None, None, "Mozilla/5.0 (Exchange check)"),
        (None, None, "pingping.io/1.0"),
    ),
    "unknown": (
        (None, None, ""),
        (None, "VLC", "VLC/3.0.20 LibVLC/3.0.20"),
        (None, "ffmpeg", "Lavf/60.3.100"),
        (None, "mpv", "mpv 0.37.0"),
        (None, "GStreamer", "GStreamer souphttpsrc 1.20.3 libsoup/2.74.2"),
        (None, "OkHttp", "okhttp/4.12.0"),
        (None, None, "AcmePlayer/1.0"),
        (None, "CFNetwork", "AcmePlay/77 CFNetwork/1410.0.3 Darwin/22.6.0"),
        ("Android", "ExoPlayer", "AcmePlay/3.1 (Linux;Android 13) ExoPlayerLib/2.18.1"),
        ("Android", "media3", "com.acme/1.2 (Linux;Android 12) AndroidXMedia3/1.1.1"),
        ("Android", "ExoPlayer", "ExoPlayerOk/18.2.13 (Linux;Android 6.0) ExoPlayerLib/2.5.1"),
        ("Android", "Android MediaPlayer", "stagefright/1.2 (Linux;Android 7.0)"),
        ("Android", None, "Dalvik/2.1.0 (Linux; U; Android 9)"),
        (None, "OkHttp", "okhttp/3.2.0"),
        (None, "ExoPlayer", "ExoPlayerLib/2.18.1"),
        (None, "AVPlayer", "AppleCoreMedia/1.0.0.21E236"),
        ("Android", None, "com.google.android.youtube/18 (Linux; U; Android 11) gzip"),
        (None, "Ktor", "Ktor client"),
        (None, "Dart", "Dart/2.19 (dart:io)"),
        (None, "Unity", "UnityPlayer/2021.3.1f1 (UnityWebRequest/1.0, libcurl/7.80.0-DEV)"),
        (None, None, "samsung-agent/1.1"),
        (None, None, "MediaPlayer/3.2"),
    ),
}

ROWS = [(kind, *row) for kind, rows in AGENTS.items() for row in rows]


@pytest.fixture(scope="module")
def classifier() -> DeviceClassifier:
    """One classifier for the whole table."""
    return DeviceClassifier()


@pytest.mark.parametrize(("kind", "os", "player", "agent"), ROWS)
def test_a_player_is_recognised(
    classifier: DeviceClassifier, kind: str, os: str | None, player: str | None, agent: str
) -> None:
    """Class, operating system and player of each User-Agent."""
    device = classifier.classify(agent)
    assert (DeviceKind(kind), os, player) == (device.kind, device.os, device.player)


def test_every_class_is_in_the_table() -> None:
    """The table covers every class of device, and is large."""
    assert set(DeviceKind) == {DeviceKind(kind) for kind in AGENTS}
    assert len(ROWS) >= 150


# Signs that decide the class of whole families of User-Agents.
SIGNS = (
    ("tv", "Opera/9.80 (Linux armv7l; U; en) Presto/2.12.407 Version/12.50"),
    ("tv", "Opera/9.80 (Linux mips) Presto/2.12.407 Version/12.50"),
    ("tv", "Mozilla/5.0 (DirectFB; Linux; en) AppleWebKit/534.26+ (KHTML, like Gecko)"),
    ("tv", "Mozilla/5.0 (X11; Linux; DTV; Acme) AppleWebKit/536 (KHTML, like Gecko) NX/3.0"),
    ("tv", "AcmeWebKit/531 (Acme STB; Linux)"),
    ("tv", "Mozilla/5.0 (Linux; U) AppleWebKit/531.2 (KHTML, like Gecko) EspialTVBrowser/1.1"),
    ("phone", "Opera/9.80 (Linux armv7l; Maemo; Opera Mobi/4; U; en) Presto/2.10 Version/11.1"),
    ("phone", "Mozilla/5.0 (F02B;FOMA;like Gecko)"),
    ("phone", "JUC (Linux; U; 2.3.6; zh-cn; GT-S5360; 240*320) UCWEB7.9.0.94/140/352"),
    ("phone", "Mozilla/5.0 (Linux; Android 4.3; D5322) AppleWebKit/537.36 Chrome/34.0.1847.131"),
    ("phone", "Mozilla/5.0 (Linux; Android 7.0; myA9 DTV) AppleWebKit/537.36 Chrome/76.0 Mobile"),
    ("tablet", "Mozilla/5.0 (Linux; U; Android 2.3.4; en-us; Silk/1.0) Version/4.0 Mobile"),
    ("tablet", "UCWEB/2.0 (Linux; U; Opera Mini/7.1; en-US; IdeaTabA1000-G) U2/1.0.0 Mobile"),
    ("desktop", "Mozilla/5.0 (X11; Fedora; Linux mips64; rv:41.0) Gecko/20100101 Firefox/41.0"),
    ("desktop", "Mozilla/5.0 (Unix; rv:9.0.1) Gecko/20100101 Firefox/9.0.1"),
    ("desktop", "Midori/0.4"),
    ("desktop", "Lynx/2.8.8dev.3 libwww-FM/2.14 SSL-MM/1.4.1"),
    ("desktop", "Mozilla/3.0 (compatible; AcmeEditor 6.0; Windows 2000)"),
    ("console", "Mozilla/5.0 (X11; Linux x86_64; Valve Steam Client/Steam Deck) Chrome/126.0"),
    ("car", "Mozilla/5.0 (X11; GNU/Linux) AppleWebKit/601.1 Tesla QtCarBrowser Safari/601.1"),
    ("car", "Mozilla/5.0 (VCC; 1.0; like Gecko) NetFront/4.2"),
    ("headset", "AcmePlay/3 (xrOS 1.0)"),
    ("tv", "RokuOS/12.0"),
    ("tv", "Dalvik/2.1.0 (Linux; U; Android 9; JHSC100 Build/PPR1.180610.011)"),
    ("tv", "Dalvik/2.1.0 (Linux; U; Android 9; SHARP 4T-C50 Build/PPR1.180610.011)"),
    ("tv", "Mozilla/5.0 (Linux; Android 9; VIM3L) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"),
    ("tv", "Mozilla/5.0 (LINUX; Tizen 6.5) Cobalt/22.lts (unlike Gecko) gles Starboard/13"),
    ("console", "Mozilla/5.0 (Nintendo Switch) Cobalt/20.lts Starboard/11"),
    ("unknown", "AVPlayer"),
    ("unknown", "ijkplayer"),
    ("bot", "PostmanRuntime/7.36.0"),
    ("bot", "siege/4.0"),
    ("bot", "libwww-perl/6.05"),
    ("bot", "Acme-HTTP/v0.40.3"),
    ("bot", "Mozilla/5.0 (Windows NT 10.0) Chrome/96.0 Safari/537.36 AcmeHttpAgent"),
)


@pytest.mark.parametrize(("kind", "agent"), SIGNS)
def test_a_sign_decides_the_class(classifier: DeviceClassifier, kind: str, agent: str) -> None:
    """One word or phrase decides the class, whatever the rest of the User-Agent says."""
    assert DeviceKind(kind) == classifier.classify(agent).kind
