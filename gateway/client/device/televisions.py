"""Which models are televisions, TV boxes or sticks, although their names do not say so?

These are boards, boxes sold under many names, operators' models, and brands. They are used only
when the User-Agent does not say "Mobile", because some of these brands also sell phones. A code is
at the start of the model. The patterns run in an engine without look-around. Everything is in lower
case.
"""

from gateway.client.device.phrases import LinearPattern

TV_CODES = LinearPattern(
    r"^(?:"
    # boards: Amlogic, Rockchip, Allwinner, MediaTek, MStar, HiSilicon
    r"s9\d\d[xwyd]|s805x?|s802|[pq]2(?:00|01|12|81)$|rk3(?:128|2\d\d|318|328|36|528|566)"
    r"|mt(?:5[568]|96)\d\d|msd\d|mstar|t-mstar|hi37\d\d|hi35\d\d|t9[56][a-z\d]{1,3}|petrel"
    r"|dolphin-|sun50iw|bcm7|stvm8|aml|amlogic|droidlogic|realtek|rtd\d{4}|novatek"
    # boxes sold under many names, by their board
    r"|tx(?:[2-9]|6s|9s?|10)(?: |-|_|$|pro|mini|plus|max)"
    r"|x(?:88|92|96|98)[ _-]?(?:m|q|a|s|p|h|t|x|$)|h(?:96|20|40|60|313)(?: |_|-|m|p|$)|t95|a95"
    r"|m(?:8|9)s|mx(?:q|3|9|10|pro|v)(?: |_|-|p|g|$)|z(?:28|69)|r69|q96|v88|hk1|hk-1|tanix"
    r"|tigerii|mecool|km[1-9](?: |p|$)|ki(?:i|ii)? pro|bb2|m16|gt-?(?:king|media|mini)|gt1"
    r"|gs[- ]king|beelink|ugoos|am(?:3|6|7|8)(?:b|[ _]|$)|ut[3-8] |ux?[- ]?um\d|zidoo|x9s|vorke"
    r"|vega s|tronsmart|draco|wetek|vontar|w[12] ?(?:tv|box|pro)|k[1-9] ?(?:dvb|plus)|leelbox"
    r"|nexbox|a95x|sunvell|egreat|himedia|minix|neo-|mk8\d\d|mk9\d\d|cx-?9\d\d$|ug80\d|ug007"
    r"|qc80\d|cs9\d\d|cs[aq]\d\d|i7 ?(?:tv|box)|pivos|xios|measy|g-box|g-?box|magicsee"
    r"|n5 ?(?:n|m|p)|n6 ?(?:p|m)|c(?:300|400) ?p|alfawise|abox|bqeel|docooler|scishion|goobang"
    r"|turewell|easytone|sidiwen|dolamee|d8 pro|transpeed|8k\d{3}|pendoo|unblock|ubox"
    r"|s[89]00 ?pro|evpad|htv ?box|tvpad|superbox|redbox|dq0\d|atv4|ibox|q plus|qplus"
    r"|t(?:r9|p0)\d|x-?media"
    # set-top boxes by operator or maker
    r"|uiw\d{4}|u[zs][wx]\d{4}|d(?:ct|i|t)w\d{3,4}|dctiw|diw\d|dwt\d|dwi\d|hmb\d{4}|kstb\d"
    r"|ks-?ip|vip\d{4}|srt ?\d{3}|leap-s|tha\d|tht\d|thq\d|sti[h\d]|hp40|hp4\d|ib-?\d{3}|arris"
    r"|commscope|technicolor|sagemcom|humax|kaon|vantiva|b8[68]\d[a-z]|zxv?10|ec6\d{3}|q2[0-9]_"
    r"|fiberhome|hg6\d\d|skardin|skyworth|sei\d{3}|sei[ _]|go\d{3}fr|mag ?\d{3}|mag\d|formuler"
    r"|dreamlink|amiko|gigablue|octagon|sx\d{3}|sf\d{4}|zgemma|edision|redline|en10\d\d|qviart"
    r"|next ?box|homatics|dynalink|wv\d{3}|iptv|telia|nsz-|vap\d{3}|gtv\d|youview|ott[ _-]|stb"
    r"|swisscom|bbox"
    r"|bouygtel|freebox|free ?box|livebox|proximus|ziggo|vodafone ?tv|claro ?box|izzi|megacable"
    r"|totalplay|nv\d{3}|movix|switron|mts ?tv|rostelecom|rt-?stb|imaq|rombica|ssq-"
    r"|iconbit ?(?:xds|movie|omni)|xds\d|dune|ozone|openbox|gi[ _]|golden ?inter|uclan|ustym"
    r"|nevada"
    # sticks, projectors and televisions by brand
    r"|mi(?:tv|box| ?box| ?tv)|xiaomi ?(?:tv|box)|fengmi|xgimi|wanbo|anker|d2[0-9]\d0|jmgo"
    r"|dangbei|formovie|adt-[1-4]|chromecast|nexus ?player|shield android|nvidia|bravia"
    r"|sharp ?(?:tv|umc)|umc_|lc[-_]\d\d|lcd_|aquos|toshiba ?tv|regza|haier ?(?:atv|matrix|tv)"
    r"|hisense ?(?:tv|smart)|vidaa|chiq|percee|iffalcon|techwood|nordmende|telefunken|finlux"
    r"|hitachi|grundig|arcelik|beko|axen|woon|onvo|awox|skytech|profilo|schneider ?sc|brandt"
    r"|edenwood|polaroid (?:ptv|tv)|blaupunkt ?(?:4k|tv)|medion ?(?:tv|x1)|peaq (?:ptv|tv)|ok\. "
    r"|kivi|bbk|dexp ?(?:al|tv)|hartens|harper|horizont|vityaz|shivaki|starwind|novex|leff"
    r"|irbis ?\d\d|asano|erisson|doffler|supra ?(?:stv|tv)|goldstar|prestigio ?(?:ptv|\d\d)|yuno"
    r"|yasin|samtron|olto|orbita|fusion ?(?:fltv|tv)|fenoti|aiwa ?(?:tv|atv)|awtx"
    r"|hyundai ?(?:tv|h-?led)|vekta|econ|sbdv|yndx|daewoo|cadena|td ?systems|nilait|nikkei"
    r"|linsar|jvc|avtex|caixun|westinghouse|rca ?tv|philco ?(?:tv|ptv|a)|aoc ?(?:tv|le)"
    r"|multilaser ?tv|noblex ?(?:tv|d)|bgh ?(?:tv|b\d{4})|hkpro|kalley ?(?:k|a)|vu ?tv"
    r"|thomson ?tv|lloyd|intex ?tv|micromax ?(?:tv|\d\d)|iffal|coocaa|realme ?(?:tv|st)"
    r"|oneplus ?tv|nokia ?(?:tv|st)|motorola ?tv|walton ?(?:tv|w)|mewe|dawlance|ecostar"
    # other names that televisions and boxes have sent
    r"|r68|xr4500|dvs[ -]|j-link|s_turbo|i-910|h-dmp|limez|mdtv|tle-|spc_alien|sh6b|tb-[bp]|ut8$"
    r"|s900_|v32t|xdsr|kb2 |youwei|zealot|ele-gate|an-232|f48d|full aosp on noon"
    # the size in inches, then letters, then a number
    r"|[a-z]{0,12}[-_ ]?(?:24|28|32|39|4[0239]|43|50|55|58|65|70|75|85|86"
    r"|98)[a-z]{1,6}[-_]?\d{2}"
    r")"
)
