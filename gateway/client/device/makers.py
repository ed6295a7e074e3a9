"""How do makers number the tablets and television boxes whose names do not say what they are?

Model numbers by maker, from makers' catalogues: read where no word, prefix or part of a name has
decided. A code stands at the start of the model, after the maker's own name where that is sent
too. Written for an engine without look-around, so that the tables cost the same however long they
grow. All in lower case. Makers that number phones and tablets alike are left out.
"""

from collections.abc import Iterable

from gateway.client.device.phrases import Pattern


def _codes(makers: Iterable[str]) -> Pattern:
    return Pattern("^(?:" + "|".join(makers) + ")")


# Signs of a screen of 7 inches and more that makers of every country put into a name: inches with
# a decimal, or written first of three or four digits and before the radio; Wi-Fi only; children.
TABLET_SIGNS = Pattern(
    r"(?:^|[^.\d])(?:7|8|9|10)\.(?:0|1|7|8|85|9)(?:[^.\d]|$)|10[._]1(?:\D|$)"
    r"|(?:^|[^a-z\d])(?:7|8|9|10)\d{0,2}[ _-]*(?:3g|4g|lte)|(?:7|8|9|10)\d\d[ _-]?3g"
    r"|[a-z](?:7|8|10)[ _-]3g|(?:^|[b-uw-z_ -])0[789]\d\d(?:\D|$)|-(?:7|8|10)\d\d[a-z]?$"
    r"|(?:^|[^a-z\d])(?:7|8|10|101|97|785)[ _-]*(?:inch|\"|in$|hd|ips|dual|quad|octa)"
    r"|^[abd-su-z][a-z\d ]+_(?:eea|row)$|kids?(?:[^a-z]|$)|school|edu(?:[^a-z]|$)|disney"
    r"|wi-?fi|tbl|tpad|tpc|mid(?:[^a-z]|$)|e-?book|e-?reader"
)

TABLET_CODES = _codes(
    (
        # United States: Amazon, Barnes & Noble, Onn, carriers, Verizon, RCA, Nextbook, Le Pan …
        r"(?:amazon )?kf[a-z]{2,8}$|bntv?\w?\d{3}|bn nook",
        r"(?:onn )?100\d{6}|qta[a-z]|qtx|tmrv\w{4,5}tb|aqt\d|rcft|rct\d|w101s|rla\d|nxm\d|nxw\d"
        r"|nxa\d|next\d|lepan|le ?pan|tc\d{3} ?\(|dl\d{4}$|nuvision|nvt|agm?t\d|xr6[mp]\d\d"
        r"|c[ot]bi",
        r"digiland|ematic|craig|cmp\d{3}|azpen|hipstreet|visual ?land|pandigital|prd\d|velocity"
        r"|kyros|sylvania|stj\d|st\d{4}$|iview|cyberpad",
        r"fire7|dragon ?touch|yuntab|vankyo|simbans|tagital|toscido|pritom|vastking|kyty|lville"
        r"|lnmbbs|coopers|yotopt|goodtel|facetel|feonal|duoduogo|meize|qunyico|veidoo|weelikeit"
        r"|wainyok|relndoo|okaysea|aeezo|apolosign|atmpc|avidpad|beista|hotreals",
        r"nabi|snb\d|leapfrog|lf-\d|innotab|storio|lexi|clempad",
        # Samsung for carriers, Google, Motorola, HTC, Dell, HP, Viewsonic, Kobo
        r"(?:samsung[- ])?(?:sgh-(?:t849|t859|t869|i467|i497|i957|i987)|sch-(?:i[789][01]5"
        r"|i9[12]5|i80\d|p709|p739)|shw-m(?:180|30[05]|38|43|48|500)|shv-e(?:140|150|230)"
        r"|sph-p[15]00|gt-n(?:51|80)\d\d|n51[0-2]0|n80\d\d|sct\d\d|sc-0[12]c$)",
        r"(?:motorola )?mz[56]\d\d|pg41200|pg09410|htc[- _]?p715"
        r"|hp (?:slate ?(?:7|8|10|1\d)|pro slate|stream|touchpad)|venue ?\d|vb\d{3}|kobo"
        r"|arc ?(?:7|10)|ereader|cruz",
        # Lenovo, Acer, Asus, Toshiba, LG, Huawei, Honor, Xiaomi, vivo, Realme, Nubia, TCL, ZTE
        r"(?:lenovo ?)?(?:a1[-_]07|a10-70|a2107|a2109|a2207|a3300|a3500|a5500|a7-[1-9]0|a8-50"
        r"|b8000|b8080|s2109|s2110|s5000|s6000|k2110|a1107|[5-8]0[1-4]lv|a[12]0\dlv|z[12]00lv"
        r"|xiaoxin|smart ?tab|lecoo p|ideatab|thinkpad ?tablet)",
        r"(?:acer[ _-])?(?:one (?:7|8|10)|a(?:100|101|110|200|210|211|500|501|510|511|700|701)$"
        r"|(?:a1|b1|b3|a3)-[1-9]\d\d|actab|ac[ot]\d{3,4}|g100w?$|acer_t)",
        r"(?:asus[ _-])?(?:k00[acflrsux]$|me\d{3}[a-z]?[^g]?$|p01ma|tx201)"
        r"|(?:toshiba )?(?:at\d{3}|at1s|a?folio)|lg-[lv]0[46]|lg-p(?:49|53)0l|v[4-7]\d\dl?$"
        r"|lk\d{3}$|lgt\d\d|lm-t\d",
        r"(?:huawei[- ])?(?:[56]0[56]hw|70[13]hw|[a-z]{3}\d?-w\d\d|mediapad"
        r"|(?:ags|agr|bah|btv|btk|bzt|bzk|bzw|bzd|bzc|cmr|cpn|dby|dbr|got|kob|kj|mrx|mrr|mon"
        r"|scm|sht|vrd|wgr|xya|pce|hey|krj|jdn|jms|agm|bach|teto)\d?-[alu][ln]?\d\d)",
        r"(?:xiaomi |redmi )?(?:\d{4,6}b?rp[a-z\d]{2,5}|m2105k81|2208128[13]|21051182)",
        r"(?:vivo )?(?:d?pa|dpd)\d{4}$|(?:realme )?rmp\d|(?:oppo |oneplus )?opd\d|np0\d[a-z]"
        r"|z6\d\ds?p|xt2261",
        r"(?:alcatel[ _])?(?:9(?:00[3-7]|009|01\d|02[03-9]|0[3-9]\d)[a-z]|8(?:05[1-7]|06[1-8]"
        r"|07\d|08[0-9]|09\d|1[3-8]\d|49\d)[a-z]?\d?(?:_|$| )|i21\d|p3[1-6]0[axm]"
        r"|one ?touch (?:t10|evo))",
        r"(?:zte[ _])?(?:k[89]\d[a-z]{0,2}$|v9[ +]|v9$|t1004|t98$|e8[qt]|e10[qt]|v70|light tab"
        r"|optik|x1001)",
        # Japan: carriers' numbers, Sony, NEC, Fujitsu, Sharp, Panasonic, Kyocera
        r"d-\d\d[a-z]|f-(?:01d|02f|05e)$|f-02[fk]|f-03g|f-04h|f-05e|f-52a|fa[rt][a-z\d]{3,}|m532"
        r"|fff-?t|sh-0[568][efg]$|sh-t\d\d|sht\d\d|so-(?:03e|05[fg])$|sot\d\d|sgp[\dt]|p-08d"
        r"|l-06c|n-0[68]d|kyt3\d|lgt\d\d|hwt\d\d|ast21|pc-t[a-z]?\d{3}|lavietab|ebrd|an7cg"
        r"|fz-[abgs]\d|jt-[bh]\d|ut-[mp]|ja\d\d?-tb|adp-\d|gea\d|dospara|diginnos",
        # Russia and its neighbours: Digma, Irbis, Texet, Explay, Oysters, Nomi, Bravis, Pixus …
        r"(?:digma )?(?:plane|optima|idx[dqn]?(?:7|8|9|10)|ids[dq]?|idj[dq]?|idn[dq]?|hit \d)"
        r"|(?:[a-z\d.]+ ){1,5}(?:tt|ts|ps|ns|ws|ms|ss)\d{4}[a-z]{2}$"
        r"|(?:tt|ts|ps|ns|cs|ss)\d{4}[a-z]{2}|sunwind|sky \d.{0,4}[ _](?:\w+ )?(?:3g|4g|a\d|e\d)"
        r"|irbis[ _]?t|tx\d\d$|tg\d\d$|tw\d\d$",
        r"oysters[ _]?t|t104|t72\w|t7[248]\w? ?3?g?$|n1 ?3g|actived|cinematv|informer ?\d{3}"
        r"|explay (?:l|s0|n1)|nomi[ _]?c|c(?:070|080|096|101)\d\d|corsa|libra ?\d|terra[ _]?\d"
        r"|x-style tab|(?:bravis[ _]?)?nb(?:7|8|9|10)\d{1,3}(?:$|[_ ])"
        r"|pixus[ _](?:t|p|b|a|d|l|w|s|h|e|k|jo|ri)",
        r"bb-?mobile|techno[- ]|megafon ?(?:login ?(?:2|3)$|v9)|beeline[ _]?tab|mt[s7]?[-_]?tab"
        r"|mt7[a-d]|turbopad|turbokids|ritmix rmd|rmd-|dns[ _-]?(?:airtab|m\d|p\d)|airtab"
        r"|dexp ursus|ursus|[klmqrs](?:[12][1-48]|3[138])0i$|h310$|k38$|wexler ?tab|mobi ?7|rolsen|rtb"
        r"|roverpad",
        r"effire|etuline|etl-[mt]|eplutus|treelogic|gravis|brevis|perfeo ?\d{4}"
        r"|qumo[ _](?:vega|altair|sirius|yum)|vega ?\d{3,4}|altair|sirius|sb\d|sc7|ainol|mid-?\d"
        r"|supra ?m|ginzzu[ _]gt|gt-[w78x]|gt-1\d|prology|evolution|latitude-? ?t|tricolor|gs700"
        r"|tm\d{3}|jeka|jk-?\d{3}|geofox|tesla[ _](?:tablet|neon|l7|t)|assistant|ap-\d{3}"
        r"|senkatel",
        # Poland, Czechia, Romania, Germany, France, Spain, Italy, Britain, Greece
        r"quantum[ _]?(?:7|8|9|10|1010)|goclever|gc[tp]\w|insignia[ _]?(?:7|8|9|10)|elipso"
        r"|aries ?(?:7|8|10)|ov-(?:tab|[a-z]{5,}core|qual|live|ed)|livecore|qualcore|freebird"
        r"|colorovo|eagle[ _]?\d{3,4}|km(?:07|08|09|10)\d\d|kiano",
        r"allview[ _]?(?:viva|speed|wi|ax|alldro|tx|all|impera i|city)|viva[ _]?[hicqd]\d?"
        r"|wi\d[a-z]|e-boda (?:i|e|r|su[^n])|eboda|hello \d|serioux|smo\d|smailo|vonino|pluri"
        r"|navo[_ ]|xavy|druid|orin|argus|primus|njoy|estar|mid7|wink ?\d",
        r"loox|noon|neo[_-]?quad|pedi|connect ?(?:7|8)|xelio|maven|ieos|captiva|[pexs]\d{3,5}x$"
        r"|[sv]t\d{5}|bp_\d|slplus|xoro|pet[ _]?\d|touchlet|x\d{1,2}g[bp]?$|axdia|jay-?tech|tpc"
        r"|hannspad|sn\d\dt",
        r"archos ?(?:7|8|9|1\d|family|child|gam|t)|an\d{1,2}[a-z]?g\d|80g9|101g9|97[bc]|arnova"
        r"|arc?hm\d|qilive ?(?:7|8|9|10|m|q)|q(?:[ts]\d|[789]t)[a-z\d]{2,4}$|logicom"
        r"|e(?:73|91|85|103)\d$|s(?:73|85|95|105)2|l-?ement ?(?:7|8|9|10|t)|idbot"
        r"|m ?bot ?(?:60|tab|7|8|10)|ezee|danew|dslide|kl\d{4}|teo[x\d]|prtab|memup|spng|sp70"
        r"|essentielb|mp(?:qc|dc|g)\d|mpman|takara|mid\d|haier-?pad|bigben|gulli|ixtech|ix\d{3}",
        r"woxter zielo (?:d|t)|szenio|spc[ _](?:glee|glow|heaven|gravity|light|flow|dark|twi)"
        r"|gravity[ _]?(?:2|3|pro|max|mini|oct|ult|9|8|10|4g)|lightyear|glee"
        r"|energy (?:tablet|[six](?:7|8|9|10)|pro [7-9]|neo [79])|leotec|supernova|nevir|nvr-"
        r"|best ?buy|easy ?home"
        r"|bq (?:edison|curie|maxwell|pascal|kepler|elcano|verne|livingstone|tesla|darwin"
        r"|voltaire)|edison|curie|maxwell|elcano|kepler|aquaris (?:m10|m8|e10)|brigmton|btpc"
        r"|innjoo f|ingo|talius",
        r"mediacom|m-(?:mp(?:[789]|1\d)|sp|ipro|win|ibt|1)\w+|1az_eea|hamlet|xzpad|yashi"
        r"|techmade|microtech|etw\d|linx\d|vf(?:d ?1[0-4]\d\d|-\d{4})|mls"
        r"|iq(?:10\d\d|180|181|90|96|m8)|bitmore|turbo-?x t"
        r"|turbo-?x (?:rubik|hive|calliope|fire)|concorde ?tab|wayteq|alcor",
        # Turkey, Middle East, India, Pakistan, Indonesia, Philippines, Thailand, Vietnam
        r"(?:casper[ _])?via[ _][lst]\d|vt10|reeder[_ ](?:a|m|p\d\d?s|s\d|r)|hometech"
        r"|ht[ _-]?(?:7|8|9|10)[abgk]\w?$|ezcool|navitech|piranha|technopc|goldmaster|vorcom"
        r"|s[78][- ]clas|redway|concord[_ ]|c-7\d\d|nextstar|probook|pokemon|botech",
        r"i-?life|itell|tm-mid|lenosed|atouch|c ?idea|cm\d{4}p|wintouch|modio"
        r"|dany|enet|zentality|kt\d00|bebe|h10_|green ?lion|g-(?:20|10|30|40|50)|moxee"
        r"|t(?:10|8)m",
        r"(?:micromax )?(?:funbook|p(?:25|27|28|29|30|31|35|36|41|46|47|48|56|58|65|66|68|70"
        r"|80)\d[a-z]?$|canvas tab)|karbonn (?:smart|ta|st)|st(?:7|8|10|72)$|iball"
        r"|(?:6351|7236|3g ?\d{4}|i701|i6012|q45)|snap[ _]4g|brace|it-[a-z]{4}|slide"
        r"|lava (?:e-?tab|ivory|qpad|magnum|z7\d|t81)|ivory|t81|celkon[ _ ]?ct|ct[- ]?\d$"
        r"|ct\d{3,4}$|zync|cloud z|swipe[ _](?:sli|str|halo|raz|x7|x1|tab|ace|all|mtv|ult|slate)"
        r"|ubislate|datawind|hcl|me tab|simmtronics|ambrane|zeb|wishtel|byond|mi-?7\d\d|milagrow"
        r"|videocon v|go ?clever|irola",
        r"advan[ _]?(?:t|i7|i8|i10|x7|e1|70|80|90|vandroid|tab)|vandroid|[te][1-5][a-jx][+_ ]?$"
        r"|x7 pro|mito ?t|treq|evercoss[ _](?:at|u)|at\d[a-z]\d?$|u(?:50|60|70|71)[a-z]?$"
        r"|tabulet|speedup|imo (?:tab|z)|spc p|zyrex|huawei ideos s7|fusion|superion"
        r"|starmobile engage|cloud ?pad|torque droidz|o\+ (?:st|f)|i-note|i-mobile i-note|iq ?x",
        # Latin America: Positivo, Multilaser, DL, Genesis, Philco, Noblex, X-View, PCBox, Hyundai …
        r"positivo[ _]?(?:t\d|y|bgh|bt|pre|tab|tw\w+ tab)|ypy|twist ?tab|vision ?tab"
        r"|t(?:710|720|730|750|770|771|780|800|810|850|1060|1061|1070|1075|1085)$"
        r"|tb(?:07|10)\w{3}$|m[789]s?[-_ ]?(?:3g|4g|wifi|wi-fi|quad|lite|go|kids|intel|i$)"
        r"|m(?:7|8|9|10)(?:sqc|a|b|s|i)?_(?:[w34l]|pl|go|qu)|ml\d\d-|ml-(?:tb|w|s)|nb\d{3}$"
        r"|tp[23]\d\d[a-z]{3}|tx[23]\d\d|px[23]\d\d|gt-[17]\d{3}$|foston|fs-m|lenoxx|tb[- ]\d\d",
        r"ptb|cce|te[79]\d|tf7\d|td10|qbex|tt[- ]?\d{4}|ibak|navcity|nt-\d|amvox|tb-?\d{2}$"
        r"|tb-?\d{2}[_ -]|newdrive|powerpack|space ?br|705-g|ht-?70[45]|wave ?i|nexit|nbt"
        r"|t(?:7|8|9|10)[a-dx]\d[a-z]{0,3}$|x-?view|zen ?(?:7|10)|neon ?(?:7|8|10)|kanji|kj-[^s]"
        r"|pcb-t|kova|bgh[ _-]?(?:y|7|1)|eutb|euta",
        r"ht(?:07|08|09|10)\d\w+|koral|logic ?t|blu touch|touchbook|m(?:7|8|10)l[ _]?"
        r"|sky ?(?:pad|tab)|elite ?(?:t8|octa|oct)|gk\d{3}|gtb|stylos|stta|tech ?pad ?\d|lanix"
        r"|ilium ?pad|ivoom|vorago|pad-?\d|introtr|tr\d{4}|t\d{4}q|krono|aoc|mw[01]\d{3}|coby"
        r"|kocaso|m(?:1050|1052|1060|7[35]\d|76\d|806|836|860|9[01]00)[a-z]?$|mx\d{3}[a-z-]"
        r"|nx785|argom|argomtech|packard ?bell",
        # Africa: Tecno, X-Tigi, Mobicel, Dunns, Vodacom
        r"tecno[ _](?:p7|dp|7c|8h|t1)|droipad|x[-_]tigi[_ ]?(?:joy|hope|kid|pad)"
        r"|hope(?:7|8|9|10)|joy(?:7|8|10)|mobicel t|vodacom|itel[ _]?(?:p|it)?\d{2}tab"
        r"|mastertech|lesia|techno-? ?t|iku[ _]t|lw7",
        # China: Teclast, Chuwi, Cube, Onda, Ramos, Pipo, Doogee, Oukitel, Ulefone, Boox, readers …
        r"\w+[ _]?(?:\w+ )?\([a-z]\d[a-z]\d\)$"
        r"|(?:teclast )?(?:tla|tlp|m(?:16|18|20|30|40|50)(?:se|pro|plus|air|hd|mini|$|_|\()"
        r"|p(?:10|18|20|25|26|30|40|50|70|80|85|89|90|98)(?:hd|t|h|s|x|se|air|pro 2|_|$)|t(?:20"
        r"|30|40|45|50|60|65|70)(?:hd|air|s|plus|pro|max|ultra|mini|_|$| )|x(?:10|16|80|89"
        r"|98)(?:h|hd|air| |_|plus|$)|a10[hst]|g1[78])",
        r"chuwi|cw-?[vhx]?\w|vi(?:7|8|10|30|40|60)|v(?:8[01]\d|97\d|98\d|10[12])[ism]"
        r"|v[89]1[189][iswm]|u(?:9|1[06-9]|2[0-9]|3\d|5\d|6\d|1005|8)gt|u63|u80[0-9]|t10[01]\w"
        r"|iplay|talk ?\d|free ?young|k8gt|onda|alldocube|pipo[ _-][^x]|smart-s\d|ployer"
        r"|momo\d{1,2}(?:$|[a-rt-z ])|yuandao|window n|sanei|ampe|zenithink|c91|c93|freelander"
        r"|pd\d{2,3}|newsmy|bmorn|aoson|teclast|voyo|bmax|jumper|headwolf|fpad|f104evii",
        r"(?:doogee )?(?:t(?:10|20|30|35|40)(?:e|s|mini|ultra|pro|plus|max|_| |$)|u(?:9|10|11"
        r"|12)(?:kid|pro|_| |$)|r(?:08|10|20)(?:pro|_| |$)|tab)|(?:oukitel )?(?:rt|ot|okt)\d"
        r"|(?:hotwav )?r[5-7](?:q|pro|ultra| |$)|dt[12]$"
        r"|(?:blackview )?(?:tab|active|mega)[ _]?\d|ruggbo|runbop|pad ?p\d|g\d+ ?tab|a\d+ ?tab"
        r"|core-t|algiz|zx\d0$|t800-?g|et[1458]\d|rt10|et-?l10|r8l|k10c",
        r"boox|mc_|note(?:x|air|pro|[2345]$)|poke\d|leaf\d?c?$|livingstone|kon_tiki|edison$"
        r"|likebook|meebook|bigme|hanvon|readboy|ebe?n|noah|np\d{4}|u\d{2}gt"
        r"|s(?:3|5)(?: ?pro)? ?bbk|youxuepai|umix|xueersi|xf-|aip-|jz-|dream_?tab|zl\d\d|bdf"
        r"|k10\d?[_ ]|kt?1\d{2}_",
        r"(?:lm|zp|cm|bt|ax|wp|tg|c8|p9|dg|gp|bn|at|mt|te|yc|tk|tp|ts|st|em|fs"
        r"|sz)\d{2,4}[a-z]{0,3}_eea$|s\d\d_eea$|z1_eea|mi7_hero"
        r"|x(?:8|10|15|20)(?:ultra|max|pro)$|x-?\d{2}mt\d{2}|f3[a-z]$",
    )
)

TV_CODES = _codes(
    (
        # boards: Amlogic, Rockchip, Allwinner, MediaTek, MStar, HiSilicon
        r"s9\d\d[xwyd]|s805x?|s802|[pq]2(?:00|01|12|81)$|rk3(?:128|2\d\d|318|328|36|528|566)"
        r"|mt(?:5[568]|96)\d\d|msd\d|mstar|t-mstar|hi37\d\d|hi35\d\d|t9[56][a-z\d]{1,3}|petrel"
        r"|dolphin-|sun50iw|bcm7|stvm8|aml|amlogic|droidlogic|realtek|rtd\d{4}|novatek",
        # boxes that are sold by their board, under many names
        r"tx(?:[2-9]|6s|9s?|10)(?: |-|_|$|pro|mini|plus|max)"
        r"|x(?:88|92|96|98)[ _-]?(?:m|q|a|s|p|h|t|x|$)|h(?:96|20|40|60|313)(?: |_|-|m|p|$)|t95"
        r"|a95|m(?:8|9)s|mx(?:q|3|9|10|pro|v)(?: |_|-|p|g|$)|z(?:28|69)|r69|q96|v88|hk1|hk-1"
        r"|tanix|tigerii|mecool|km[1-9](?: |p|$)|ki(?:i|ii)? pro|bb2|m16|gt-?(?:king|media|mini)"
        r"|gt1|gs[- ]king|beelink|ugoos|am(?:3|6|7|8)(?:b|[ _]|$)|ut[3-8] |ux?[- ]?um\d|zidoo"
        r"|x9s|vorke|vega s|tronsmart|draco|wetek|vontar|w[12] ?(?:tv|box|pro)"
        r"|k[1-9] ?(?:dvb|plus)|leelbox|nexbox|a95x|sunvell|egreat|himedia|minix|neo-|mk8\d\d"
        r"|mk9\d\d|cx-?9\d\d$|ug80\d|ug007|qc80\d|cs9\d\d|cs[aq]\d\d|i7 ?(?:tv|box)|pivos|xios"
        r"|measy|g-box|g-?box|magicsee|n5 ?(?:n|m|p)|n6 ?(?:p|m)|c(?:300|400) ?p|alfawise|abox"
        r"|bqeel|docooler|scishion|goobang|turewell|easytone|sidiwen|dolamee|d8 pro|transpeed"
        r"|8k\d{3}|pendoo|unblock|ubox|s[89]00 ?pro|evpad|htv ?box|tvpad|superbox|redbox|dq0\d"
        r"|atv4|ibox|q plus|qplus|t(?:r9|p0)\d|x-?media",
        # set-top boxes by operator or maker
        r"uiw\d{4}|u[zs][wx]\d{4}|d(?:ct|i|t)w\d{3,4}|dctiw|diw\d|dwt\d|dwi\d|hmb\d{4}|kstb\d"
        r"|ks-?ip|vip\d{4}|srt ?\d{3}|leap-s|tha\d|tht\d|thq\d|sti[h\d]|hp40|hp4\d|ib-?\d{3}"
        r"|arris|commscope|technicolor|sagemcom|humax|kaon|vantiva|b8[68]\d[a-z]|zxv?10|ec6\d{3}"
        r"|q2[0-9]_|fiberhome|hg6\d\d|skardin|skyworth|sei\d{3}|sei[ _]|go\d{3}fr|mag ?\d{3}"
        r"|mag\d|formuler|dreamlink|amiko|gigablue|octagon|sx\d{3}|sf\d{4}|zgemma|edision"
        r"|redline|en10\d\d|qviart|next ?box|homatics|dynalink|wv\d{3}|iptv|telia|youview"
        r"|ott[ _-]|stb|swisscom|bbox|bouygtel|freebox|free ?box|livebox|proximus|ziggo"
        r"|vodafone ?tv|claro ?box|izzi|megacable|totalplay|nv\d{3}|movix|switron|mts ?tv"
        r"|rostelecom|rt-?stb|imaq|rombica|ssq-|iconbit ?(?:xds|movie|omni)|xds\d|dune|ozone"
        r"|openbox|gi[ _]|golden ?inter|uclan|ustym|nevada",
        # sticks, projectors and televisions by brand
        r"mi(?:tv|box| ?box| ?tv)|xiaomi ?(?:tv|box)|fengmi|xgimi|wanbo|anker|d2[0-9]\d0|jmgo"
        r"|dangbei|formovie|adt-[1-4]|chromecast|nexus ?player|shield android|nvidia|bravia"
        r"|sharp ?(?:tv|umc)|umc_|lc[-_]\d\d|lcd_|aquos|toshiba ?tv|regza"
        r"|haier ?(?:atv|matrix|tv)|hisense ?(?:tv|smart)|vidaa|chiq|percee|iffalcon|techwood"
        r"|nordmende|telefunken|finlux|hitachi|grundig|arcelik|beko|axen|woon|onvo|awox|skytech"
        r"|profilo|schneider ?sc|brandt|edenwood|polaroid (?:ptv|tv)|blaupunkt ?(?:4k|tv)"
        r"|medion ?(?:tv|x1)|peaq (?:ptv|tv)|ok\. |kivi|bbk|dexp ?(?:al|tv)|hartens|harper"
        r"|horizont|vityaz|shivaki|starwind|novex|leff|irbis ?\d\d|asano|erisson|doffler"
        r"|supra ?(?:stv|tv)|telefunken|goldstar|prestigio ?(?:ptv|\d\d)|yuno|yasin|samtron|olto"
        r"|orbita|fusion ?(?:fltv|tv)|fenoti|aiwa ?(?:tv|atv)|awtx|hyundai ?(?:tv|h-?led)|vekta"
        r"|econ|sbdv|yndx|daewoo|cadena|td ?systems|nilait|nikkei|linsar|jvc|avtex|caixun"
        r"|westinghouse|rca ?tv|philco ?(?:tv|ptv|a)|aoc ?(?:tv|le)|multilaser ?tv"
        r"|noblex ?(?:tv|d)|bgh ?(?:tv|b\d{4})|hkpro|kalley ?(?:k|a)|vu ?tv|thomson ?tv|lloyd"
        r"|intex ?tv|micromax ?(?:tv|\d\d)|iffal|coocaa|realme ?(?:tv|st)|oneplus ?tv"
        r"|nokia ?(?:tv|st)|motorola ?tv|walton ?(?:tv|w)|mewe|dawlance|ecostar",
        # a set's size in inches, then letters, then its number
        r""
        r"[a-z]{0,12}[-_ ]?(?:24|28|32|39|4[0239]|43|50|55|58|65|70|75|85|86|98)[a-z]{1,6}[-_]?\d{2}",
    )
)
