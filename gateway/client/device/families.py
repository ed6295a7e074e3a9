"""How do makers name the tablets, televisions, laptops and phones that run Android?

A *word* is the run of letters at the start of a model (``tb-x306f`` → ``tb``). A *shape* is a
pattern for the start of a model. A *part* may be anywhere in it. Words are looked up in sets, so
that their number does not matter; there are few shapes and parts. Makes that sell phones under the
same word are left out: "Mobile" in the User-Agent tells those apart. Everything is in lower case.
Operators can add what is missing in the config, and with the reduced User-Agent (F3) these names
matter less each year.
"""

import re

from gateway.client.device.phrases import LinearPattern
from gateway.client.device.text import word_set

TABLET_WORDS = word_set(
    """
    actab adronix agr ags airtab alldocube altair andromeda androtab anry aoso armorpad
    asusxpad atab azimut bah bdf bgo bntv bpad brt btv bve bzd bzi bzk bzt bzw ccit cga
    clempad colortab contixo cpn creapad ctab darwin dby dmoao dmtab dslide endeavour enot
    estar everypad exceed excer ezee ezpad faust flylife freeme funtab fusion gdi geofox
    geovision goclever gtkids hdl hey hipad hoozo hope hotreals iconia idea ideapad ideatab
    idrq idsq ifive iliumpad impad inoipad ipa iplay irulu jdn jms kaicloud kiano kidiby kids
    kingpad kob kocaso kova krj kyt latab lavie lavietab leapad leopad letab lifetab
    livingstone magictab magnet matepad maven mediapad memopad mfc mid midc midr mipad mitab
    mixzo momo mon mpqc mpqcg mrx mupad mygpad mypad mytab nabi navipad navitel ndl neotab
    nextbook nogapad nook notepad novo npad numy obook odys opd optima ot ov picopad plane platina
    platinumtab playtab plt pluri pmid pmp pmt pocketbook poke proscan ptb qtab ramosi rct
    readboy rmd rod roverpad rt sencor senkatel sgp sht silverstone sirius slidepad slimtab
    smartbook smartpad smartview superion supernova surfpad surftab symtab syx tablet tangotab
    taq taristab tbook teclast telepad teo tfx tgw tla touchpad tpc tpcy trekstor turbokids
    turbopad tz ursus venue vivah volta vrd vtab walpad winpad wpad wtab xelio xenta xoom xpad
    xtab xyao yarvik yoga zpad ztpad zync
    """
)
# For apps that name the device anywhere, in formats of their own.
TABLET_ANYWHERE = LinearPattern(
    r"(?:^|[^a-z\d])(?:sm-[tpx]\d\d|gt-p\d{4}|ideatab|lenovo[ _]tab|mediapad|galaxy tab|surftab"
    r"|kf[a-z]{2,6} build)"
)
TABLET_PARTS = re.compile(
    r"tab(?!oo|le ?top|ai|as|er|an)"
    r"|(?<!note)(?<!ipho)(?<!cool)(?<!kli)(?<!tech)(?<!tech )pad(?!fone|[mtu][0-9a])|iplay"
    r"|kindle|nexus (?:7|9|10)|goclever|estation"
    r"|pixel c(?![a-z])|transformer|streak (?:7|10)|reeder|playbook|slate (?:7|8|10)|kids|inmate"
    r"|quad[- ]?core|galaxy note 10\.1|lenovo (?:yt|yb|tb)|hp (?:7|8|10) |surfer|[sm]-?bot 5|dual 7"
)
TABLET_SHAPES = re.compile(
    # Samsung, Lenovo, LG, Amazon, Acer, Asus, Huawei, Honor, Xiaomi, OnePlus and Oppo, Microsoft
    r"(?:samsung[- ])?(?:sm-[tpx]\d|gt-p\d|sch-i800)"
    r"|(?:lenovo ?)?(?:tb[-_q]?[a-z]?\d|yt[-\d]|yb[-\d]|b6000|s6000|a7600|a3000|pb-6)"
    r"|kf[a-z]{2,6}$|aeo[a-z]{2}$|lg-v[4-9]\d\d|lm-t6|uk\d{3}|vk8\d\d"
    r"|(?:acer[ _])?(?:a[123]-[a7-9]\d\d|a1-\d|b[13]-[a-z]?\d)"
    r"|(?:asus[ _-])?(?:k01[0-9a-z]$|p0[0-2][0-9a-z]$|tf\d{3})"
    r"|(?:huawei[ -])?(?:m[23]-|s7-|t1-[78a]|bg2|got-|wgr|scm|agm3|bzt|web-w|hdl|jdn|elnl?-)"
    r"|\d{4,6}rp[a-z\d]{2,4}(?![a-z\d])|(?:xiaomi|redmi|mi|honor|oneplus|oppo) ?pad"
    r"|wo[ _](?:pad|\d)"
    r"|surface duo|dell streak|htc[ _](?:a10|flyer)|infinix x1101|tecno[ _](?:7c|p70|p904|dp|t1)"
    # makers whose models start with the screen size: 7 to 10 inches are tablets, 4 to 6 phones
    r"|(?:bq(?:ru)?|tm|ct|tdt|crony|km|jk|eagle|logic|qmobile|spark)[-_ ]?0?(?:7|8|9"
    r"|10)\d{1,3}(?!\d)"
    r"|(?:b|m|id|vr|power)[ -_]?bot ?5[35]|id ?bot|power bot|hello 7|connect ?7|fast ?7|touch_7"
    # boards, and brands of tablets, by their numbers
    r"|[a-z]{3}\d?-w\d\d|(?:tf|tm)-mid|mc_[a-z]|mt7-|mt-t|mq\d{3}|mvm\d|mx\d{3}|hz0\d|htb\d"
    r"|hwt\d|k87c"
    r"|iball[ _]slide|kt\d00pro|t\d{1,2}-eea|t[78]\d[emn]|t708|z9[03]0|z99|e1[0-9c]?[\d_ ]|q7a"
    r"|h2[17]|finepower[ _][ab]\d"
    r"|droidz[ _](?:portal|drive|dash|edge|atom)|allview[23]speed|allviewa|ax[25](?:_|nano)"
    r"|quartz|tac-|tyd-"
    r"|tr10|m8l|elite (?:octa|t)|element ?\d|u5[01]gt|u63p|u70[bc]|a101[bc]$|sm-n8"
    r"|[st][123]\d0i?$|p380|l[34]70|hitv10"
    r"|90[2369]\d[a-z]|(?:805|849|846|916|929|913)\d[a-z]?(?:_|$)|8084|1000\d{5}|\d{4}x_"
    r"|(?:an|at|a)\d{1,3}[bcg]\d|an\d\d?g|(?:x|q|m)s?\d{4}[a-z]$|qs\d{4}|rc\d{4}|m[79][-_]?3g"
    r"|m[789]s?_|m7\d\d$|m-sp"
    r"|(?:gem|ple|rmd|mtn|pc|nt|nqt|tel|ap|dc|ik|jk|ac|gu|cw|etl)-(?:te|sp|mp|[vt]?\d{2,4}[a-z]*)"
    r"|(?:ac|at|ht|lc|mt|nxm|pi|po|qm|qc|tt|vm)-?[01]?\d{3,4}[a-z]{1,3}\d?"
    r"|m(?:10|20|30|40|50)(?:_|hd|s|l |plus|pro|-)|t(?:10|20|30|40|45|50)(?:_|hd|s|plus|pro|e$"
    r"|ultra|mini)"
    r"|p(?:20|25|26|30|40|80|85)[a-z]*_|x98|x80 |hi10|v-t|v_t|v tab|positivo ypy"
    r"|wave[- ]i|viva_h|supra m|sky[ _]pad|mito[ _]t|micromax ?p|masstel_?tab"
    r"|nomi[ _]c|neon[79]|hanson|ginzzu[ _]gt|sk-mtek|quantum_2_(?:7|10)|radar|tesla[ _](?:ta"
    r"|l7|tt)|neutab|citi[ _](?:\d{4}|1|kids)"
    r"|archos ?(?:[789]|10|1\d\d)|aquarius cmp|alfa_|hit \d|zenith ta|pulse ta|q8 da"
)

TV_WORDS = word_set(
    """
    abox abx acemax aftb aftd afte afteu aftg aftha afthxt aftj aftjm aftk aftka aftkrt aftm
    aftmd aftmm aftmon aftn aftpr aftr aftrs afts aftso aftss aftsss aftt afttd afttdn afttiff
    afttor aftw aftwa aftwi aftwmst aftwyhm aftx aftxi akira alfawise amcv amigo amiko amlogic
    andowl arcelik artline atmaca atv azamerica baff beelink beyondtv boreal bqeel brandt
    bravia buzztv centek changhong chromecast cinebox coocaa cvte dangbei dangcaphd deadpool
    digifors dishtv divisat docooler dolamee draco dreamstar dunehd dynalink ebox edision
    egreat eled eltex erisson evpad fengmi flowbox formuler fundroid geniatech gigablue
    globmall grundig gtcombo gtking gtkingat gtkingii harper hartens hgtv hiberg himax himedia
    hiremco hlq holleberg homatics homesync horizont hpy hty hx iconbit iffalcon imaq invin
    jiostb jmgo jvc kant khadas korax leben leelbox loview magbox magicsee matador maunfeld
    mbox mecool megogo mibox minix mitv mlt movix mxq mygica nebula netbox netta nexbox nexon
    nogapc nokiastreaming nordmende novex ntv nvx nwx octagon odroid onvo openbox opticum
    orbsmart ozone ozonehd peaq pendoo polarline probox ptv pyramid rka rkm rombica saba
    sabrina salutetv sbdv scishion sdmc sei selenga selevision skyline skystream skyworth
    smartbox smotreshka soullink soundmax spyboxs sternenschein sunvell superbox
    supermax switron swtv tanix tatasky technika technisat technosat tigerstar timvisionbox
    tivax tocombox topdevice topsion toucan transpeed tronsmart turewell tvbox tvip tvpad
    ugoos ulx umax vekta vermax vesta vhix vibox viden vinabox vityaz vizio vmp vontar vorke
    wechip wetek wiwa xgimi xoro yasin yndx yundoo yutmart zaith zappiti zgemma zidoo
    """
)
TV_PARTS = LinearPattern(
    r"(?:^|[^a-z])a?tv(?:[^a-z]|$)|(?:^|[^dh])tv$|^tv|stb|(?:^|[^a-z])box|box(?:\d*$|[-_ ])|as4k"
    r"|eo104k|smart4k|era8k|^8k|xds\d|(?:^|[^din])tv[-_ ]?\d|(?:^|[^d])[a-z]tv[-_ ]|smart ?tv"
    r"|android ?tv|led[-_ ]?\d\d|(?:^|[^a-z\d])[48]k(?:[^a-z\d]|$)|uhd|tv ?box"
    r"|(?:^|[^a-z])(?:ott|iptv|settop|hdmi|dongle|dvb)(?:[^a-z]|$)|[a-z]box[a-z]?\d*$"
    r"|stick(?:[^a-z]|$)| shell |_shell_|streamer|projector|nexus player|shield android|mediabox"
    r"|smart box|s905x|rk33\d\d|mxq|^x96(?:[^p]|$)|^h96|a95x|a5x|r-tv"
)
TV_SHAPES = re.compile(
    # the size in inches, then the maker's series: 43LU8010T, 55LEX-8158, BQ_40FS36B
    r"(?:[a-z]{1,8}[-_ ])?(?:24|28|3[29]|4[0-9]|5[058]|6[05]|7[05]|8[56]|98)"
    r"(?:[a-z]{1,5}[-_]?\d|[a-z]{2,4}[-_ ])"
    r"|(?:td|tq|hc|wud|mqt|mlt|hb|lc|ld|rh|ct|dm|sl|sm|tf|sw|sun|ex|gi|h|le|t|p|u|k|f|c)-?"
    r"(?:led|lcd|le|qled|uled)?[-_ ]?(?:24|32|4[023]|50|55|58|65|75)[a-z]{1,5}\d"
    r"|aft[a-z]|tpm\d{3}[a-z]|q[mv]1\d\d[eu]|ai pont|miproj|ct-88|vega s9|polar[ _]|neko_"
    r"|perfeo_pf|pipo_x|orion r|t96"
    r"|tx68|z9x$|vim[1-4]l?$|jhs[a-z]\d{3}|sharp 4t-|4t-[bc]\d"
    r"|tx[2-9](?!\d)|tox\d"
    r"|t95|m8s|minim8s|ki+[ -](?:pro|plus)|km[2-9]\d?(?: ?pro| plus|$)|hk1[ _]?(?:box|max|mini"
    r"|r|x|$)|mk[89]\d\d"
    r"|neo[- ][uxz]\d|as_|as51\d|z28|x92$|x88|v10$|v88$|red ?(?:360|\d0)|dv[89]\d{3}|sdott"
    r"|sd?fcstb|ct-89|eagle (?:elite|gold|classic)|ai?ft6e|as1_|gi |t2 ?box|sbx\d|lcd_"
    r"|[abc]\d{3}re$|swg|tvb|tvs|en1007|infinitypro|kj-smart|nv[57]\d\d|ip-\d0|s\d00 max"
    r"|mag\d{3}|mobo|gtx-|gt1mini|xs100|tr99|i96|d21[45]0|white x|atom-|b86[06][a-z]?v|zxv10"
    r"|hg680|ec6108|dscs9|dq0"
)

LAPTOP_WORDS = word_set(
    """
    aspire bilimbook chromebook easynote elitebook inspiron latitude lifebook macbook optiplex
    pavilion probook satellite thinkpad travelmate vivobook vostro waydroid zenbook
    """
)
LAPTOP_PARTS = re.compile(
    r"chromebook|elitebook|probook|thinkpad|hp compaq|2in1|all-in-one| aio |engage one|nuc\d"
)

PHONE_WORDS = word_set(
    """
    desire droid gth cph pdkm pdym pecm peem pehm peht pera perm rmx
    """
)
PHONE_PARTS = re.compile(
    r"phone(?!tab)|galaxy (?:nexus|s\d|note (?!10\.1|8\.0|pro)|j\d|ace|y(?![a-z]))|lg optimus"
    r"|htc htc|/(?:gt-[is]\d|htc[ _])"
)
# Phones that the words and shapes would take for televisions or tablets.
PHONE_NAMESAKES = re.compile(
    r"stv100|htv3[1-3]|letv x|lge-|as_[45]0|smartv22|era 4k|bl7000|e13$|e145|t5c|ypy_s|8050|5033x"
    r"|sunny|runbo|turbo_?x[_ ](?:s|i|r)|himax[ _]p|kazam|tx9 pro|odyssey|e10i|wiko|deezer"
    r"|z9[1-9]\d|droidz (?:m|av|atom|beat)|memor|active [13](?:$|\+)|mega2|home9|xt10|ax\d{3}"
    r"|zp\d|fs80|bv\d|psp[57]|coolpad|zte \d|ta-\d|a?ck10|ec10|gmc-"
)
PHONE_SHAPES = re.compile(
    r"(?:samsung[- ])?(?:sm-[fwgasjnem]\d|gt-(?:[bceis]\d{4}|n7\d{3}))"
    r"|lg-?(?:ls|ms|h|l|lu|su)\d{2,4}"
    r"|htc[ _](?:one|desire|sensation|wildfire|evo(?! view)|hd|incredible|butterfly)"
    r"|nexus (?:s|one)|pixel(?: xl|$)|v[12]\d{3}[abte]*$|nexus [456]|pixel \d"
    r"|[a-z]{3}-[atl][lnx]\d|p[de][a-z]{2}\d0$"
    r"|rmx\d|m2\d{3}[a-z]\d|m1[89]\d{2}|2\d{3,4}[a-z\d]{2,4}[cgi]$|k00[ez]$|iq\d|tecno|moto "
    r"|nokia (?!t\d)|redmi (?!pad)|mi \d|ta-1\d|z9[1-9]\d"
    r"|zte (?:blade|a)|asus_[lxz]|lg-[a-z]\d|sony|xl39|[cdef][56]\d{3}$|[gh]8[1-4]\d\d$"
)
