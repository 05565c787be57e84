# The kernels that are compiled with Pelton where its build is told to (cmake/builtin.cmake): those that level 0 chooses for
# these parts of networks, and with that for networks of such parts. Layouts and shapes choose kernels, and hardly ever
# are part of their text.
graph builtin(%x1: f16[1,3,224,224], %x122: f16[32,3,224,224], %x243: f16[1,3,224,224], %x392: f16[1,128,768], %x436: f16[32,128,768], %x480: f16[1,64,80,80], %x481: f16[1,64,80,80], %x482: f16[1,128,768], %x510: f32[1,3,224,224], %x631: f32[1,3,224,224], %x780: f32[1,128,768], %x824: f32[1,64,80,80], %x825: f32[1,64,80,80], %x826: f32[1,128,768]) -> (%v121, %v242, %v391, %v435, %v479, %v483, %v484, %v485, %v486, %v487, %v488, %v489, %v490, %v491, %v492, %v493, %v494, %v495, %v496, %v497, %v509, %v630, %v779, %v823, %v827, %v828, %v829, %v830, %v831, %v832, %v833, %v834, %v835, %v836, %v837, %v838, %v839, %v840, %v841, %v853)
  # f16: a residual network for pictures, 1 at a time, two blocks of each kind
  %w2: f16[64,3,7,7] = const random(2)
  %w3: f16[64] = const random(3)
  %v4 = conv(%x1, %w2, %w3) pads=[3,3,3,3] strides=[2,2]
  %v5 = pointwise(%v4) expr="relu(x0)"
  %v6 = pool(%v5) kernel=[3,3] strides=[2,2] pads=[1,1,1,1]
  %w7: f16[256,64,1,1] = const random(7)
  %w8: f16[256] = const random(8)
  %v9 = conv(%v6, %w7, %w8) pads=[0,0,0,0]
  %w10: f16[64,64,1,1] = const random(10)
  %w11: f16[64] = const random(11)
  %v12 = conv(%v6, %w10, %w11) pads=[0,0,0,0]
  %v13 = pointwise(%v12) expr="relu(x0)"
  %w14: f16[64,64,3,3] = const random(14)
  %w15: f16[64] = const random(15)
  %v16 = conv(%v13, %w14, %w15) pads=[1,1,1,1]
  %v17 = pointwise(%v16) expr="relu(x0)"
  %w18: f16[256,64,1,1] = const random(18)
  %w19: f16[256] = const random(19)
  %v20 = conv(%v17, %w18, %w19) pads=[0,0,0,0]
  %v21 = pointwise(%v20, %v9) expr="relu(add(x0,x1))"
  %w22: f16[64,256,1,1] = const random(22)
  %w23: f16[64] = const random(23)
  %v24 = conv(%v21, %w22, %w23) pads=[0,0,0,0]
  %v25 = pointwise(%v24) expr="relu(x0)"
  %w26: f16[64,64,3,3] = const random(26)
  %w27: f16[64] = const random(27)
  %v28 = conv(%v25, %w26, %w27) pads=[1,1,1,1]
  %v29 = pointwise(%v28) expr="relu(x0)"
  %w30: f16[256,64,1,1] = const random(30)
  %w31: f16[256] = const random(31)
  %v32 = conv(%v29, %w30, %w31) pads=[0,0,0,0]
  %v33 = pointwise(%v32, %v21) expr="relu(add(x0,x1))"
  %w34: f16[512,256,1,1] = const random(34)
  %w35: f16[512] = const random(35)
  %v36 = conv(%v33, %w34, %w35) pads=[0,0,0,0] strides=[2,2]
  %w37: f16[128,256,1,1] = const random(37)
  %w38: f16[128] = const random(38)
  %v39 = conv(%v33, %w37, %w38) pads=[0,0,0,0]
  %v40 = pointwise(%v39) expr="relu(x0)"
  %w41: f16[128,128,3,3] = const random(41)
  %w42: f16[128] = const random(42)
  %v43 = conv(%v40, %w41, %w42) pads=[1,1,1,1] strides=[2,2]
  %v44 = pointwise(%v43) expr="relu(x0)"
  %w45: f16[512,128,1,1] = const random(45)
  %w46: f16[512] = const random(46)
  %v47 = conv(%v44, %w45, %w46) pads=[0,0,0,0]
  %v48 = pointwise(%v47, %v36) expr="relu(add(x0,x1))"
  %w49: f16[128,512,1,1] = const random(49)
  %w50: f16[128] = const random(50)
  %v51 = conv(%v48, %w49, %w50) pads=[0,0,0,0]
  %v52 = pointwise(%v51) expr="relu(x0)"
  %w53: f16[128,128,3,3] = const random(53)
  %w54: f16[128] = const random(54)
  %v55 = conv(%v52, %w53, %w54) pads=[1,1,1,1]
  %v56 = pointwise(%v55) expr="relu(x0)"
  %w57: f16[512,128,1,1] = const random(57)
  %w58: f16[512] = const random(58)
  %v59 = conv(%v56, %w57, %w58) pads=[0,0,0,0]
  %v60 = pointwise(%v59, %v48) expr="relu(add(x0,x1))"
  %w61: f16[1024,512,1,1] = const random(61)
  %w62: f16[1024] = const random(62)
  %v63 = conv(%v60, %w61, %w62) pads=[0,0,0,0] strides=[2,2]
  %w64: f16[256,512,1,1] = const random(64)
  %w65: f16[256] = const random(65)
  %v66 = conv(%v60, %w64, %w65) pads=[0,0,0,0]
  %v67 = pointwise(%v66) expr="relu(x0)"
  %w68: f16[256,256,3,3] = const random(68)
  %w69: f16[256] = const random(69)
  %v70 = conv(%v67, %w68, %w69) pads=[1,1,1,1] strides=[2,2]
  %v71 = pointwise(%v70) expr="relu(x0)"
  %w72: f16[1024,256,1,1] = const random(72)
  %w73: f16[1024] = const random(73)
  %v74 = conv(%v71, %w72, %w73) pads=[0,0,0,0]
  %v75 = pointwise(%v74, %v63) expr="relu(add(x0,x1))"
  %w76: f16[256,1024,1,1] = const random(76)
  %w77: f16[256] = const random(77)
  %v78 = conv(%v75, %w76, %w77) pads=[0,0,0,0]
  %v79 = pointwise(%v78) expr="relu(x0)"
  %w80: f16[256,256,3,3] = const random(80)
  %w81: f16[256] = const random(81)
  %v82 = conv(%v79, %w80, %w81) pads=[1,1,1,1]
  %v83 = pointwise(%v82) expr="relu(x0)"
  %w84: f16[1024,256,1,1] = const random(84)
  %w85: f16[1024] = const random(85)
  %v86 = conv(%v83, %w84, %w85) pads=[0,0,0,0]
  %v87 = pointwise(%v86, %v75) expr="relu(add(x0,x1))"
  %w88: f16[2048,1024,1,1] = const random(88)
  %w89: f16[2048] = const random(89)
  %v90 = conv(%v87, %w88, %w89) pads=[0,0,0,0] strides=[2,2]
  %w91: f16[512,1024,1,1] = const random(91)
  %w92: f16[512] = const random(92)
  %v93 = conv(%v87, %w91, %w92) pads=[0,0,0,0]
  %v94 = pointwise(%v93) expr="relu(x0)"
  %w95: f16[512,512,3,3] = const random(95)
  %w96: f16[512] = const random(96)
  %v97 = conv(%v94, %w95, %w96) pads=[1,1,1,1] strides=[2,2]
  %v98 = pointwise(%v97) expr="relu(x0)"
  %w99: f16[2048,512,1,1] = const random(99)
  %w100: f16[2048] = const random(100)
  %v101 = conv(%v98, %w99, %w100) pads=[0,0,0,0]
  %v102 = pointwise(%v101, %v90) expr="relu(add(x0,x1))"
  %w103: f16[512,2048,1,1] = const random(103)
  %w104: f16[512] = const random(104)
  %v105 = conv(%v102, %w103, %w104) pads=[0,0,0,0]
  %v106 = pointwise(%v105) expr="relu(x0)"
  %w107: f16[512,512,3,3] = const random(107)
  %w108: f16[512] = const random(108)
  %v109 = conv(%v106, %w107, %w108) pads=[1,1,1,1]
  %v110 = pointwise(%v109) expr="relu(x0)"
  %w111: f16[2048,512,1,1] = const random(111)
  %w112: f16[2048] = const random(112)
  %v113 = conv(%v110, %w111, %w112) pads=[0,0,0,0]
  %v114 = pointwise(%v113, %v102) expr="relu(add(x0,x1))"
  %axes114: i64[2] = const [2, 3]
  %v115 = reduce(%v114, %axes114) kind=mean
  %v116 = flatten(%v115)
  %w117: f16[2048,1000] = const random(117)
  %v118 = matmul(%v116, %w117)
  %w119: f16[1000] = const random(119)
  %v120 = pointwise(%v118, %w119) expr="add(x0,x1)"
  %v121 = softmax(%v120)
  # f16: a residual network for pictures, 32 at a time, two blocks of each kind
  %w123: f16[64,3,7,7] = const random(123)
  %w124: f16[64] = const random(124)
  %v125 = conv(%x122, %w123, %w124) pads=[3,3,3,3] strides=[2,2]
  %v126 = pointwise(%v125) expr="relu(x0)"
  %v127 = pool(%v126) kernel=[3,3] strides=[2,2] pads=[1,1,1,1]
  %w128: f16[256,64,1,1] = const random(128)
  %w129: f16[256] = const random(129)
  %v130 = conv(%v127, %w128, %w129) pads=[0,0,0,0]
  %w131: f16[64,64,1,1] = const random(131)
  %w132: f16[64] = const random(132)
  %v133 = conv(%v127, %w131, %w132) pads=[0,0,0,0]
  %v134 = pointwise(%v133) expr="relu(x0)"
  %w135: f16[64,64,3,3] = const random(135)
  %w136: f16[64] = const random(136)
  %v137 = conv(%v134, %w135, %w136) pads=[1,1,1,1]
  %v138 = pointwise(%v137) expr="relu(x0)"
  %w139: f16[256,64,1,1] = const random(139)
  %w140: f16[256] = const random(140)
  %v141 = conv(%v138, %w139, %w140) pads=[0,0,0,0]
  %v142 = pointwise(%v141, %v130) expr="relu(add(x0,x1))"
  %w143: f16[64,256,1,1] = const random(143)
  %w144: f16[64] = const random(144)
  %v145 = conv(%v142, %w143, %w144) pads=[0,0,0,0]
  %v146 = pointwise(%v145) expr="relu(x0)"
  %w147: f16[64,64,3,3] = const random(147)
  %w148: f16[64] = const random(148)
  %v149 = conv(%v146, %w147, %w148) pads=[1,1,1,1]
  %v150 = pointwise(%v149) expr="relu(x0)"
  %w151: f16[256,64,1,1] = const random(151)
  %w152: f16[256] = const random(152)
  %v153 = conv(%v150, %w151, %w152) pads=[0,0,0,0]
  %v154 = pointwise(%v153, %v142) expr="relu(add(x0,x1))"
  %w155: f16[512,256,1,1] = const random(155)
  %w156: f16[512] = const random(156)
  %v157 = conv(%v154, %w155, %w156) pads=[0,0,0,0] strides=[2,2]
  %w158: f16[128,256,1,1] = const random(158)
  %w159: f16[128] = const random(159)
  %v160 = conv(%v154, %w158, %w159) pads=[0,0,0,0]
  %v161 = pointwise(%v160) expr="relu(x0)"
  %w162: f16[128,128,3,3] = const random(162)
  %w163: f16[128] = const random(163)
  %v164 = conv(%v161, %w162, %w163) pads=[1,1,1,1] strides=[2,2]
  %v165 = pointwise(%v164) expr="relu(x0)"
  %w166: f16[512,128,1,1] = const random(166)
  %w167: f16[512] = const random(167)
  %v168 = conv(%v165, %w166, %w167) pads=[0,0,0,0]
  %v169 = pointwise(%v168, %v157) expr="relu(add(x0,x1))"
  %w170: f16[128,512,1,1] = const random(170)
  %w171: f16[128] = const random(171)
  %v172 = conv(%v169, %w170, %w171) pads=[0,0,0,0]
  %v173 = pointwise(%v172) expr="relu(x0)"
  %w174: f16[128,128,3,3] = const random(174)
  %w175: f16[128] = const random(175)
  %v176 = conv(%v173, %w174, %w175) pads=[1,1,1,1]
  %v177 = pointwise(%v176) expr="relu(x0)"
  %w178: f16[512,128,1,1] = const random(178)
  %w179: f16[512] = const random(179)
  %v180 = conv(%v177, %w178, %w179) pads=[0,0,0,0]
  %v181 = pointwise(%v180, %v169) expr="relu(add(x0,x1))"
  %w182: f16[1024,512,1,1] = const random(182)
  %w183: f16[1024] = const random(183)
  %v184 = conv(%v181, %w182, %w183) pads=[0,0,0,0] strides=[2,2]
  %w185: f16[256,512,1,1] = const random(185)
  %w186: f16[256] = const random(186)
  %v187 = conv(%v181, %w185, %w186) pads=[0,0,0,0]
  %v188 = pointwise(%v187) expr="relu(x0)"
  %w189: f16[256,256,3,3] = const random(189)
  %w190: f16[256] = const random(190)
  %v191 = conv(%v188, %w189, %w190) pads=[1,1,1,1] strides=[2,2]
  %v192 = pointwise(%v191) expr="relu(x0)"
  %w193: f16[1024,256,1,1] = const random(193)
  %w194: f16[1024] = const random(194)
  %v195 = conv(%v192, %w193, %w194) pads=[0,0,0,0]
  %v196 = pointwise(%v195, %v184) expr="relu(add(x0,x1))"
  %w197: f16[256,1024,1,1] = const random(197)
  %w198: f16[256] = const random(198)
  %v199 = conv(%v196, %w197, %w198) pads=[0,0,0,0]
  %v200 = pointwise(%v199) expr="relu(x0)"
  %w201: f16[256,256,3,3] = const random(201)
  %w202: f16[256] = const random(202)
  %v203 = conv(%v200, %w201, %w202) pads=[1,1,1,1]
  %v204 = pointwise(%v203) expr="relu(x0)"
  %w205: f16[1024,256,1,1] = const random(205)
  %w206: f16[1024] = const random(206)
  %v207 = conv(%v204, %w205, %w206) pads=[0,0,0,0]
  %v208 = pointwise(%v207, %v196) expr="relu(add(x0,x1))"
  %w209: f16[2048,1024,1,1] = const random(209)
  %w210: f16[2048] = const random(210)
  %v211 = conv(%v208, %w209, %w210) pads=[0,0,0,0] strides=[2,2]
  %w212: f16[512,1024,1,1] = const random(212)
  %w213: f16[512] = const random(213)
  %v214 = conv(%v208, %w212, %w213) pads=[0,0,0,0]
  %v215 = pointwise(%v214) expr="relu(x0)"
  %w216: f16[512,512,3,3] = const random(216)
  %w217: f16[512] = const random(217)
  %v218 = conv(%v215, %w216, %w217) pads=[1,1,1,1] strides=[2,2]
  %v219 = pointwise(%v218) expr="relu(x0)"
  %w220: f16[2048,512,1,1] = const random(220)
  %w221: f16[2048] = const random(221)
  %v222 = conv(%v219, %w220, %w221) pads=[0,0,0,0]
  %v223 = pointwise(%v222, %v211) expr="relu(add(x0,x1))"
  %w224: f16[512,2048,1,1] = const random(224)
  %w225: f16[512] = const random(225)
  %v226 = conv(%v223, %w224, %w225) pads=[0,0,0,0]
  %v227 = pointwise(%v226) expr="relu(x0)"
  %w228: f16[512,512,3,3] = const random(228)
  %w229: f16[512] = const random(229)
  %v230 = conv(%v227, %w228, %w229) pads=[1,1,1,1]
  %v231 = pointwise(%v230) expr="relu(x0)"
  %w232: f16[2048,512,1,1] = const random(232)
  %w233: f16[2048] = const random(233)
  %v234 = conv(%v231, %w232, %w233) pads=[0,0,0,0]
  %v235 = pointwise(%v234, %v223) expr="relu(add(x0,x1))"
  %axes235: i64[2] = const [2, 3]
  %v236 = reduce(%v235, %axes235) kind=mean
  %v237 = flatten(%v236)
  %w238: f16[2048,1000] = const random(238)
  %v239 = matmul(%v237, %w238)
  %w240: f16[1000] = const random(240)
  %v241 = pointwise(%v239, %w240) expr="add(x0,x1)"
  %v242 = softmax(%v241)
  # f16: inverted residuals
  %w244: f16[32,3,3,3] = const random(244)
  %w245: f16[32] = const random(245)
  %v246 = conv(%x243, %w244, %w245) pads=[1,1,1,1] strides=[2,2]
  %v247 = pointwise(%v246) expr="clip(x0,0.0:f16,6.0:f16)"
  %w248: f16[32,1,3,3] = const random(248)
  %w249: f16[32] = const random(249)
  %v250 = conv(%v247, %w248, %w249) pads=[1,1,1,1] group=32
  %v251 = pointwise(%v250) expr="clip(x0,0.0:f16,6.0:f16)"
  %w252: f16[16,32,1,1] = const random(252)
  %w253: f16[16] = const random(253)
  %v254 = conv(%v251, %w252, %w253) pads=[0,0,0,0]
  %w255: f16[96,16,1,1] = const random(255)
  %w256: f16[96] = const random(256)
  %v257 = conv(%v254, %w255, %w256) pads=[0,0,0,0]
  %v258 = pointwise(%v257) expr="clip(x0,0.0:f16,6.0:f16)"
  %w259: f16[96,1,3,3] = const random(259)
  %w260: f16[96] = const random(260)
  %v261 = conv(%v258, %w259, %w260) pads=[1,1,1,1] strides=[2,2] group=96
  %v262 = pointwise(%v261) expr="clip(x0,0.0:f16,6.0:f16)"
  %w263: f16[24,96,1,1] = const random(263)
  %w264: f16[24] = const random(264)
  %v265 = conv(%v262, %w263, %w264) pads=[0,0,0,0]
  %w266: f16[144,24,1,1] = const random(266)
  %w267: f16[144] = const random(267)
  %v268 = conv(%v265, %w266, %w267) pads=[0,0,0,0]
  %v269 = pointwise(%v268) expr="clip(x0,0.0:f16,6.0:f16)"
  %w270: f16[144,1,3,3] = const random(270)
  %w271: f16[144] = const random(271)
  %v272 = conv(%v269, %w270, %w271) pads=[1,1,1,1] group=144
  %v273 = pointwise(%v272) expr="clip(x0,0.0:f16,6.0:f16)"
  %w274: f16[24,144,1,1] = const random(274)
  %w275: f16[24] = const random(275)
  %v276 = conv(%v273, %w274, %w275) pads=[0,0,0,0]
  %v277 = pointwise(%v276, %v265) expr="add(x0,x1)"
  %w278: f16[144,24,1,1] = const random(278)
  %w279: f16[144] = const random(279)
  %v280 = conv(%v277, %w278, %w279) pads=[0,0,0,0]
  %v281 = pointwise(%v280) expr="clip(x0,0.0:f16,6.0:f16)"
  %w282: f16[144,1,3,3] = const random(282)
  %w283: f16[144] = const random(283)
  %v284 = conv(%v281, %w282, %w283) pads=[1,1,1,1] strides=[2,2] group=144
  %v285 = pointwise(%v284) expr="clip(x0,0.0:f16,6.0:f16)"
  %w286: f16[32,144,1,1] = const random(286)
  %w287: f16[32] = const random(287)
  %v288 = conv(%v285, %w286, %w287) pads=[0,0,0,0]
  %w289: f16[192,32,1,1] = const random(289)
  %w290: f16[192] = const random(290)
  %v291 = conv(%v288, %w289, %w290) pads=[0,0,0,0]
  %v292 = pointwise(%v291) expr="clip(x0,0.0:f16,6.0:f16)"
  %w293: f16[192,1,3,3] = const random(293)
  %w294: f16[192] = const random(294)
  %v295 = conv(%v292, %w293, %w294) pads=[1,1,1,1] group=192
  %v296 = pointwise(%v295) expr="clip(x0,0.0:f16,6.0:f16)"
  %w297: f16[32,192,1,1] = const random(297)
  %w298: f16[32] = const random(298)
  %v299 = conv(%v296, %w297, %w298) pads=[0,0,0,0]
  %v300 = pointwise(%v299, %v288) expr="add(x0,x1)"
  %w301: f16[192,32,1,1] = const random(301)
  %w302: f16[192] = const random(302)
  %v303 = conv(%v300, %w301, %w302) pads=[0,0,0,0]
  %v304 = pointwise(%v303) expr="clip(x0,0.0:f16,6.0:f16)"
  %w305: f16[192,1,3,3] = const random(305)
  %w306: f16[192] = const random(306)
  %v307 = conv(%v304, %w305, %w306) pads=[1,1,1,1] strides=[2,2] group=192
  %v308 = pointwise(%v307) expr="clip(x0,0.0:f16,6.0:f16)"
  %w309: f16[64,192,1,1] = const random(309)
  %w310: f16[64] = const random(310)
  %v311 = conv(%v308, %w309, %w310) pads=[0,0,0,0]
  %w312: f16[384,64,1,1] = const random(312)
  %w313: f16[384] = const random(313)
  %v314 = conv(%v311, %w312, %w313) pads=[0,0,0,0]
  %v315 = pointwise(%v314) expr="clip(x0,0.0:f16,6.0:f16)"
  %w316: f16[384,1,3,3] = const random(316)
  %w317: f16[384] = const random(317)
  %v318 = conv(%v315, %w316, %w317) pads=[1,1,1,1] group=384
  %v319 = pointwise(%v318) expr="clip(x0,0.0:f16,6.0:f16)"
  %w320: f16[64,384,1,1] = const random(320)
  %w321: f16[64] = const random(321)
  %v322 = conv(%v319, %w320, %w321) pads=[0,0,0,0]
  %v323 = pointwise(%v322, %v311) expr="add(x0,x1)"
  %w324: f16[384,64,1,1] = const random(324)
  %w325: f16[384] = const random(325)
  %v326 = conv(%v323, %w324, %w325) pads=[0,0,0,0]
  %v327 = pointwise(%v326) expr="clip(x0,0.0:f16,6.0:f16)"
  %w328: f16[384,1,3,3] = const random(328)
  %w329: f16[384] = const random(329)
  %v330 = conv(%v327, %w328, %w329) pads=[1,1,1,1] group=384
  %v331 = pointwise(%v330) expr="clip(x0,0.0:f16,6.0:f16)"
  %w332: f16[96,384,1,1] = const random(332)
  %w333: f16[96] = const random(333)
  %v334 = conv(%v331, %w332, %w333) pads=[0,0,0,0]
  %w335: f16[576,96,1,1] = const random(335)
  %w336: f16[576] = const random(336)
  %v337 = conv(%v334, %w335, %w336) pads=[0,0,0,0]
  %v338 = pointwise(%v337) expr="clip(x0,0.0:f16,6.0:f16)"
  %w339: f16[576,1,3,3] = const random(339)
  %w340: f16[576] = const random(340)
  %v341 = conv(%v338, %w339, %w340) pads=[1,1,1,1] group=576
  %v342 = pointwise(%v341) expr="clip(x0,0.0:f16,6.0:f16)"
  %w343: f16[96,576,1,1] = const random(343)
  %w344: f16[96] = const random(344)
  %v345 = conv(%v342, %w343, %w344) pads=[0,0,0,0]
  %v346 = pointwise(%v345, %v334) expr="add(x0,x1)"
  %w347: f16[576,96,1,1] = const random(347)
  %w348: f16[576] = const random(348)
  %v349 = conv(%v346, %w347, %w348) pads=[0,0,0,0]
  %v350 = pointwise(%v349) expr="clip(x0,0.0:f16,6.0:f16)"
  %w351: f16[576,1,3,3] = const random(351)
  %w352: f16[576] = const random(352)
  %v353 = conv(%v350, %w351, %w352) pads=[1,1,1,1] strides=[2,2] group=576
  %v354 = pointwise(%v353) expr="clip(x0,0.0:f16,6.0:f16)"
  %w355: f16[160,576,1,1] = const random(355)
  %w356: f16[160] = const random(356)
  %v357 = conv(%v354, %w355, %w356) pads=[0,0,0,0]
  %w358: f16[960,160,1,1] = const random(358)
  %w359: f16[960] = const random(359)
  %v360 = conv(%v357, %w358, %w359) pads=[0,0,0,0]
  %v361 = pointwise(%v360) expr="clip(x0,0.0:f16,6.0:f16)"
  %w362: f16[960,1,3,3] = const random(362)
  %w363: f16[960] = const random(363)
  %v364 = conv(%v361, %w362, %w363) pads=[1,1,1,1] group=960
  %v365 = pointwise(%v364) expr="clip(x0,0.0:f16,6.0:f16)"
  %w366: f16[160,960,1,1] = const random(366)
  %w367: f16[160] = const random(367)
  %v368 = conv(%v365, %w366, %w367) pads=[0,0,0,0]
  %v369 = pointwise(%v368, %v357) expr="add(x0,x1)"
  %w370: f16[960,160,1,1] = const random(370)
  %w371: f16[960] = const random(371)
  %v372 = conv(%v369, %w370, %w371) pads=[0,0,0,0]
  %v373 = pointwise(%v372) expr="clip(x0,0.0:f16,6.0:f16)"
  %w374: f16[960,1,3,3] = const random(374)
  %w375: f16[960] = const random(375)
  %v376 = conv(%v373, %w374, %w375) pads=[1,1,1,1] group=960
  %v377 = pointwise(%v376) expr="clip(x0,0.0:f16,6.0:f16)"
  %w378: f16[320,960,1,1] = const random(378)
  %w379: f16[320] = const random(379)
  %v380 = conv(%v377, %w378, %w379) pads=[0,0,0,0]
  %w381: f16[1280,320,1,1] = const random(381)
  %w382: f16[1280] = const random(382)
  %v383 = conv(%v380, %w381, %w382) pads=[0,0,0,0]
  %v384 = pointwise(%v383) expr="clip(x0,0.0:f16,6.0:f16)"
  %axes384: i64[2] = const [2, 3]
  %v385 = reduce(%v384, %axes384) kind=mean
  %v386 = flatten(%v385)
  %w387: f16[1280,1000] = const random(387)
  %v388 = matmul(%v386, %w387)
  %w389: f16[1000] = const random(389)
  %v390 = pointwise(%v388, %w389) expr="add(x0,x1)"
  %v391 = softmax(%v390)
  # f16: a layer of a transformer, 1 sequences
  %split393: i64[4] = const [1, 128, 12, 64]
  %join393: i64[3] = const [1, 128, 768]
  %w394: f16[768,768] = const random(394)
  %v395 = matmul(%x392, %w394)
  %w396: f16[768] = const random(396)
  %v397 = pointwise(%v395, %w396) expr="add(x0,x1)"
  %v398 = reshape(%v397, %split393)
  %v399 = transpose(%v398) perm=[0,2,1,3]
  %w400: f16[768,768] = const random(400)
  %v401 = matmul(%x392, %w400)
  %w402: f16[768] = const random(402)
  %v403 = pointwise(%v401, %w402) expr="add(x0,x1)"
  %v404 = reshape(%v403, %split393)
  %v405 = transpose(%v404) perm=[0,2,1,3]
  %w406: f16[768,768] = const random(406)
  %v407 = matmul(%x392, %w406)
  %w408: f16[768] = const random(408)
  %v409 = pointwise(%v407, %w408) expr="add(x0,x1)"
  %v410 = reshape(%v409, %split393)
  %v411 = transpose(%v410) perm=[0,2,1,3]
  %v412 = matmul(%v399, %v405) trans_b=true
  %v413 = pointwise(%v412) expr="mul(x0,0.125:f16)"
  %v414 = softmax(%v413)
  %v415 = matmul(%v414, %v411)
  %v416 = transpose(%v415) perm=[0,2,1,3]
  %v417 = reshape(%v416, %join393)
  %w418: f16[768,768] = const random(418)
  %v419 = matmul(%v417, %w418)
  %w420: f16[768] = const random(420)
  %v421 = pointwise(%v419, %w420, %x392) expr="add(add(x0,x1),x2)"
  %w422: f16[768] = const random(422)
  %w423: f16[768] = const random(423)
  %v424 = layer_norm(%v421, %w422, %w423)
  %w425: f16[768,3072] = const random(425)
  %v426 = matmul(%v424, %w425)
  %w427: f16[3072] = const random(427)
  %v428 = pointwise(%v426, %w427) expr="gelu(add(x0,x1))"
  %w429: f16[3072,768] = const random(429)
  %v430 = matmul(%v428, %w429)
  %w431: f16[768] = const random(431)
  %v432 = pointwise(%v430, %w431, %v424) expr="add(add(x0,x1),x2)"
  %w433: f16[768] = const random(433)
  %w434: f16[768] = const random(434)
  %v435 = layer_norm(%v432, %w433, %w434)
  # f16: a layer of a transformer, 32 sequences
  %split437: i64[4] = const [32, 128, 12, 64]
  %join437: i64[3] = const [32, 128, 768]
  %w438: f16[768,768] = const random(438)
  %v439 = matmul(%x436, %w438)
  %w440: f16[768] = const random(440)
  %v441 = pointwise(%v439, %w440) expr="add(x0,x1)"
  %v442 = reshape(%v441, %split437)
  %v443 = transpose(%v442) perm=[0,2,1,3]
  %w444: f16[768,768] = const random(444)
  %v445 = matmul(%x436, %w444)
  %w446: f16[768] = const random(446)
  %v447 = pointwise(%v445, %w446) expr="add(x0,x1)"
  %v448 = reshape(%v447, %split437)
  %v449 = transpose(%v448) perm=[0,2,1,3]
  %w450: f16[768,768] = const random(450)
  %v451 = matmul(%x436, %w450)
  %w452: f16[768] = const random(452)
  %v453 = pointwise(%v451, %w452) expr="add(x0,x1)"
  %v454 = reshape(%v453, %split437)
  %v455 = transpose(%v454) perm=[0,2,1,3]
  %v456 = matmul(%v443, %v449) trans_b=true
  %v457 = pointwise(%v456) expr="mul(x0,0.125:f16)"
  %v458 = softmax(%v457)
  %v459 = matmul(%v458, %v455)
  %v460 = transpose(%v459) perm=[0,2,1,3]
  %v461 = reshape(%v460, %join437)
  %w462: f16[768,768] = const random(462)
  %v463 = matmul(%v461, %w462)
  %w464: f16[768] = const random(464)
  %v465 = pointwise(%v463, %w464, %x436) expr="add(add(x0,x1),x2)"
  %w466: f16[768] = const random(466)
  %w467: f16[768] = const random(467)
  %v468 = layer_norm(%v465, %w466, %w467)
  %w469: f16[768,3072] = const random(469)
  %v470 = matmul(%v468, %w469)
  %w471: f16[3072] = const random(471)
  %v472 = pointwise(%v470, %w471) expr="gelu(add(x0,x1))"
  %w473: f16[3072,768] = const random(473)
  %v474 = matmul(%v472, %w473)
  %w475: f16[768] = const random(475)
  %v476 = pointwise(%v474, %w475, %v468) expr="add(add(x0,x1),x2)"
  %w477: f16[768] = const random(477)
  %w478: f16[768] = const random(478)
  %v479 = layer_norm(%v476, %w477, %w478)
  # f16: alone
  %v483 = pool(%x480) kernel=[2,2] strides=[2,2]
  %v484 = pool(%x480) kernel=[3,3] strides=[1,1] pads=[1,1,1,1] kind=average
  %v485 = pointwise(%x480) expr="relu(x0)"
  %v486 = pointwise(%x480) expr="clip(x0,0.0:f16,6.0:f16)"
  %v487 = pointwise(%x480) expr="mul(x0,sigmoid(x0))"
  %v488 = pointwise(%x480) expr="gelu(x0)"
  %v489 = pointwise(%x480) expr="sigmoid(x0)"
  %v490 = pointwise(%x480, %x481) expr="add(x0,x1)"
  %v491 = pointwise(%x480, %x481) expr="mul(x0,x1)"
  %v492 = pointwise(%x480, %x481) expr="relu(add(x0,x1))"
  %v493 = softmax(%x482)
  %v494 = concat(%x480, %x481) axis=1
  %v495 = transpose(%x480) perm=[0,2,3,1]
  %scales_f16: f32[4] = const [1.0, 1.0, 2.0, 2.0]
  %v496 = resize(%x480, _, %scales_f16)
  %v497 = resize(%x480, _, %scales_f16) mode=linear
  %w498: f16[64,64,3,3] = const random(498)
  %w499: f16[64] = const random(499)
  %v500 = conv(%x480, %w498, %w499) pads=[1,1,1,1]
  %v501 = pointwise(%v500) expr="mul(x0,sigmoid(x0))"
  %w502: f16[64,64,1,1] = const random(502)
  %w503: f16[64] = const random(503)
  %v504 = conv(%v501, %w502, %w503) pads=[0,0,0,0]
  %v505 = pointwise(%v504) expr="mul(x0,sigmoid(x0))"
  %w506: f16[64,64,3,3] = const random(506)
  %w507: f16[64] = const random(507)
  %v508 = conv(%v505, %w506, %w507) pads=[1,1,1,1] strides=[2,2]
  %v509 = pointwise(%v508) expr="mul(x0,sigmoid(x0))"
  # f32: a residual network for pictures, 1 at a time, two blocks of each kind
  %w511: f32[64,3,7,7] = const random(511)
  %w512: f32[64] = const random(512)
  %v513 = conv(%x510, %w511, %w512) pads=[3,3,3,3] strides=[2,2]
  %v514 = pointwise(%v513) expr="relu(x0)"
  %v515 = pool(%v514) kernel=[3,3] strides=[2,2] pads=[1,1,1,1]
  %w516: f32[256,64,1,1] = const random(516)
  %w517: f32[256] = const random(517)
  %v518 = conv(%v515, %w516, %w517) pads=[0,0,0,0]
  %w519: f32[64,64,1,1] = const random(519)
  %w520: f32[64] = const random(520)
  %v521 = conv(%v515, %w519, %w520) pads=[0,0,0,0]
  %v522 = pointwise(%v521) expr="relu(x0)"
  %w523: f32[64,64,3,3] = const random(523)
  %w524: f32[64] = const random(524)
  %v525 = conv(%v522, %w523, %w524) pads=[1,1,1,1]
  %v526 = pointwise(%v525) expr="relu(x0)"
  %w527: f32[256,64,1,1] = const random(527)
  %w528: f32[256] = const random(528)
  %v529 = conv(%v526, %w527, %w528) pads=[0,0,0,0]
  %v530 = pointwise(%v529, %v518) expr="relu(add(x0,x1))"
  %w531: f32[64,256,1,1] = const random(531)
  %w532: f32[64] = const random(532)
  %v533 = conv(%v530, %w531, %w532) pads=[0,0,0,0]
  %v534 = pointwise(%v533) expr="relu(x0)"
  %w535: f32[64,64,3,3] = const random(535)
  %w536: f32[64] = const random(536)
  %v537 = conv(%v534, %w535, %w536) pads=[1,1,1,1]
  %v538 = pointwise(%v537) expr="relu(x0)"
  %w539: f32[256,64,1,1] = const random(539)
  %w540: f32[256] = const random(540)
  %v541 = conv(%v538, %w539, %w540) pads=[0,0,0,0]
  %v542 = pointwise(%v541, %v530) expr="relu(add(x0,x1))"
  %w543: f32[512,256,1,1] = const random(543)
  %w544: f32[512] = const random(544)
  %v545 = conv(%v542, %w543, %w544) pads=[0,0,0,0] strides=[2,2]
  %w546: f32[128,256,1,1] = const random(546)
  %w547: f32[128] = const random(547)
  %v548 = conv(%v542, %w546, %w547) pads=[0,0,0,0]
  %v549 = pointwise(%v548) expr="relu(x0)"
  %w550: f32[128,128,3,3] = const random(550)
  %w551: f32[128] = const random(551)
  %v552 = conv(%v549, %w550, %w551) pads=[1,1,1,1] strides=[2,2]
  %v553 = pointwise(%v552) expr="relu(x0)"
  %w554: f32[512,128,1,1] = const random(554)
  %w555: f32[512] = const random(555)
  %v556 = conv(%v553, %w554, %w555) pads=[0,0,0,0]
  %v557 = pointwise(%v556, %v545) expr="relu(add(x0,x1))"
  %w558: f32[128,512,1,1] = const random(558)
  %w559: f32[128] = const random(559)
  %v560 = conv(%v557, %w558, %w559) pads=[0,0,0,0]
  %v561 = pointwise(%v560) expr="relu(x0)"
  %w562: f32[128,128,3,3] = const random(562)
  %w563: f32[128] = const random(563)
  %v564 = conv(%v561, %w562, %w563) pads=[1,1,1,1]
  %v565 = pointwise(%v564) expr="relu(x0)"
  %w566: f32[512,128,1,1] = const random(566)
  %w567: f32[512] = const random(567)
  %v568 = conv(%v565, %w566, %w567) pads=[0,0,0,0]
  %v569 = pointwise(%v568, %v557) expr="relu(add(x0,x1))"
  %w570: f32[1024,512,1,1] = const random(570)
  %w571: f32[1024] = const random(571)
  %v572 = conv(%v569, %w570, %w571) pads=[0,0,0,0] strides=[2,2]
  %w573: f32[256,512,1,1] = const random(573)
  %w574: f32[256] = const random(574)
  %v575 = conv(%v569, %w573, %w574) pads=[0,0,0,0]
  %v576 = pointwise(%v575) expr="relu(x0)"
  %w577: f32[256,256,3,3] = const random(577)
  %w578: f32[256] = const random(578)
  %v579 = conv(%v576, %w577, %w578) pads=[1,1,1,1] strides=[2,2]
  %v580 = pointwise(%v579) expr="relu(x0)"
  %w581: f32[1024,256,1,1] = const random(581)
  %w582: f32[1024] = const random(582)
  %v583 = conv(%v580, %w581, %w582) pads=[0,0,0,0]
  %v584 = pointwise(%v583, %v572) expr="relu(add(x0,x1))"
  %w585: f32[256,1024,1,1] = const random(585)
  %w586: f32[256] = const random(586)
  %v587 = conv(%v584, %w585, %w586) pads=[0,0,0,0]
  %v588 = pointwise(%v587) expr="relu(x0)"
  %w589: f32[256,256,3,3] = const random(589)
  %w590: f32[256] = const random(590)
  %v591 = conv(%v588, %w589, %w590) pads=[1,1,1,1]
  %v592 = pointwise(%v591) expr="relu(x0)"
  %w593: f32[1024,256,1,1] = const random(593)
  %w594: f32[1024] = const random(594)
  %v595 = conv(%v592, %w593, %w594) pads=[0,0,0,0]
  %v596 = pointwise(%v595, %v584) expr="relu(add(x0,x1))"
  %w597: f32[2048,1024,1,1] = const random(597)
  %w598: f32[2048] = const random(598)
  %v599 = conv(%v596, %w597, %w598) pads=[0,0,0,0] strides=[2,2]
  %w600: f32[512,1024,1,1] = const random(600)
  %w601: f32[512] = const random(601)
  %v602 = conv(%v596, %w600, %w601) pads=[0,0,0,0]
  %v603 = pointwise(%v602) expr="relu(x0)"
  %w604: f32[512,512,3,3] = const random(604)
  %w605: f32[512] = const random(605)
  %v606 = conv(%v603, %w604, %w605) pads=[1,1,1,1] strides=[2,2]
  %v607 = pointwise(%v606) expr="relu(x0)"
  %w608: f32[2048,512,1,1] = const random(608)
  %w609: f32[2048] = const random(609)
  %v610 = conv(%v607, %w608, %w609) pads=[0,0,0,0]
  %v611 = pointwise(%v610, %v599) expr="relu(add(x0,x1))"
  %w612: f32[512,2048,1,1] = const random(612)
  %w613: f32[512] = const random(613)
  %v614 = conv(%v611, %w612, %w613) pads=[0,0,0,0]
  %v615 = pointwise(%v614) expr="relu(x0)"
  %w616: f32[512,512,3,3] = const random(616)
  %w617: f32[512] = const random(617)
  %v618 = conv(%v615, %w616, %w617) pads=[1,1,1,1]
  %v619 = pointwise(%v618) expr="relu(x0)"
  %w620: f32[2048,512,1,1] = const random(620)
  %w621: f32[2048] = const random(621)
  %v622 = conv(%v619, %w620, %w621) pads=[0,0,0,0]
  %v623 = pointwise(%v622, %v611) expr="relu(add(x0,x1))"
  %axes623: i64[2] = const [2, 3]
  %v624 = reduce(%v623, %axes623) kind=mean
  %v625 = flatten(%v624)
  %w626: f32[2048,1000] = const random(626)
  %v627 = matmul(%v625, %w626)
  %w628: f32[1000] = const random(628)
  %v629 = pointwise(%v627, %w628) expr="add(x0,x1)"
  %v630 = softmax(%v629)
  # f32: inverted residuals
  %w632: f32[32,3,3,3] = const random(632)
  %w633: f32[32] = const random(633)
  %v634 = conv(%x631, %w632, %w633) pads=[1,1,1,1] strides=[2,2]
  %v635 = pointwise(%v634) expr="clip(x0,0.0:f32,6.0:f32)"
  %w636: f32[32,1,3,3] = const random(636)
  %w637: f32[32] = const random(637)
  %v638 = conv(%v635, %w636, %w637) pads=[1,1,1,1] group=32
  %v639 = pointwise(%v638) expr="clip(x0,0.0:f32,6.0:f32)"
  %w640: f32[16,32,1,1] = const random(640)
  %w641: f32[16] = const random(641)
  %v642 = conv(%v639, %w640, %w641) pads=[0,0,0,0]
  %w643: f32[96,16,1,1] = const random(643)
  %w644: f32[96] = const random(644)
  %v645 = conv(%v642, %w643, %w644) pads=[0,0,0,0]
  %v646 = pointwise(%v645) expr="clip(x0,0.0:f32,6.0:f32)"
  %w647: f32[96,1,3,3] = const random(647)
  %w648: f32[96] = const random(648)
  %v649 = conv(%v646, %w647, %w648) pads=[1,1,1,1] strides=[2,2] group=96
  %v650 = pointwise(%v649) expr="clip(x0,0.0:f32,6.0:f32)"
  %w651: f32[24,96,1,1] = const random(651)
  %w652: f32[24] = const random(652)
  %v653 = conv(%v650, %w651, %w652) pads=[0,0,0,0]
  %w654: f32[144,24,1,1] = const random(654)
  %w655: f32[144] = const random(655)
  %v656 = conv(%v653, %w654, %w655) pads=[0,0,0,0]
  %v657 = pointwise(%v656) expr="clip(x0,0.0:f32,6.0:f32)"
  %w658: f32[144,1,3,3] = const random(658)
  %w659: f32[144] = const random(659)
  %v660 = conv(%v657, %w658, %w659) pads=[1,1,1,1] group=144
  %v661 = pointwise(%v660) expr="clip(x0,0.0:f32,6.0:f32)"
  %w662: f32[24,144,1,1] = const random(662)
  %w663: f32[24] = const random(663)
  %v664 = conv(%v661, %w662, %w663) pads=[0,0,0,0]
  %v665 = pointwise(%v664, %v653) expr="add(x0,x1)"
  %w666: f32[144,24,1,1] = const random(666)
  %w667: f32[144] = const random(667)
  %v668 = conv(%v665, %w666, %w667) pads=[0,0,0,0]
  %v669 = pointwise(%v668) expr="clip(x0,0.0:f32,6.0:f32)"
  %w670: f32[144,1,3,3] = const random(670)
  %w671: f32[144] = const random(671)
  %v672 = conv(%v669, %w670, %w671) pads=[1,1,1,1] strides=[2,2] group=144
  %v673 = pointwise(%v672) expr="clip(x0,0.0:f32,6.0:f32)"
  %w674: f32[32,144,1,1] = const random(674)
  %w675: f32[32] = const random(675)
  %v676 = conv(%v673, %w674, %w675) pads=[0,0,0,0]
  %w677: f32[192,32,1,1] = const random(677)
  %w678: f32[192] = const random(678)
  %v679 = conv(%v676, %w677, %w678) pads=[0,0,0,0]
  %v680 = pointwise(%v679) expr="clip(x0,0.0:f32,6.0:f32)"
  %w681: f32[192,1,3,3] = const random(681)
  %w682: f32[192] = const random(682)
  %v683 = conv(%v680, %w681, %w682) pads=[1,1,1,1] group=192
  %v684 = pointwise(%v683) expr="clip(x0,0.0:f32,6.0:f32)"
  %w685: f32[32,192,1,1] = const random(685)
  %w686: f32[32] = const random(686)
  %v687 = conv(%v684, %w685, %w686) pads=[0,0,0,0]
  %v688 = pointwise(%v687, %v676) expr="add(x0,x1)"
  %w689: f32[192,32,1,1] = const random(689)
  %w690: f32[192] = const random(690)
  %v691 = conv(%v688, %w689, %w690) pads=[0,0,0,0]
  %v692 = pointwise(%v691) expr="clip(x0,0.0:f32,6.0:f32)"
  %w693: f32[192,1,3,3] = const random(693)
  %w694: f32[192] = const random(694)
  %v695 = conv(%v692, %w693, %w694) pads=[1,1,1,1] strides=[2,2] group=192
  %v696 = pointwise(%v695) expr="clip(x0,0.0:f32,6.0:f32)"
  %w697: f32[64,192,1,1] = const random(697)
  %w698: f32[64] = const random(698)
  %v699 = conv(%v696, %w697, %w698) pads=[0,0,0,0]
  %w700: f32[384,64,1,1] = const random(700)
  %w701: f32[384] = const random(701)
  %v702 = conv(%v699, %w700, %w701) pads=[0,0,0,0]
  %v703 = pointwise(%v702) expr="clip(x0,0.0:f32,6.0:f32)"
  %w704: f32[384,1,3,3] = const random(704)
  %w705: f32[384] = const random(705)
  %v706 = conv(%v703, %w704, %w705) pads=[1,1,1,1] group=384
  %v707 = pointwise(%v706) expr="clip(x0,0.0:f32,6.0:f32)"
  %w708: f32[64,384,1,1] = const random(708)
  %w709: f32[64] = const random(709)
  %v710 = conv(%v707, %w708, %w709) pads=[0,0,0,0]
  %v711 = pointwise(%v710, %v699) expr="add(x0,x1)"
  %w712: f32[384,64,1,1] = const random(712)
  %w713: f32[384] = const random(713)
  %v714 = conv(%v711, %w712, %w713) pads=[0,0,0,0]
  %v715 = pointwise(%v714) expr="clip(x0,0.0:f32,6.0:f32)"
  %w716: f32[384,1,3,3] = const random(716)
  %w717: f32[384] = const random(717)
  %v718 = conv(%v715, %w716, %w717) pads=[1,1,1,1] group=384
  %v719 = pointwise(%v718) expr="clip(x0,0.0:f32,6.0:f32)"
  %w720: f32[96,384,1,1] = const random(720)
  %w721: f32[96] = const random(721)
  %v722 = conv(%v719, %w720, %w721) pads=[0,0,0,0]
  %w723: f32[576,96,1,1] = const random(723)
  %w724: f32[576] = const random(724)
  %v725 = conv(%v722, %w723, %w724) pads=[0,0,0,0]
  %v726 = pointwise(%v725) expr="clip(x0,0.0:f32,6.0:f32)"
  %w727: f32[576,1,3,3] = const random(727)
  %w728: f32[576] = const random(728)
  %v729 = conv(%v726, %w727, %w728) pads=[1,1,1,1] group=576
  %v730 = pointwise(%v729) expr="clip(x0,0.0:f32,6.0:f32)"
  %w731: f32[96,576,1,1] = const random(731)
  %w732: f32[96] = const random(732)
  %v733 = conv(%v730, %w731, %w732) pads=[0,0,0,0]
  %v734 = pointwise(%v733, %v722) expr="add(x0,x1)"
  %w735: f32[576,96,1,1] = const random(735)
  %w736: f32[576] = const random(736)
  %v737 = conv(%v734, %w735, %w736) pads=[0,0,0,0]
  %v738 = pointwise(%v737) expr="clip(x0,0.0:f32,6.0:f32)"
  %w739: f32[576,1,3,3] = const random(739)
  %w740: f32[576] = const random(740)
  %v741 = conv(%v738, %w739, %w740) pads=[1,1,1,1] strides=[2,2] group=576
  %v742 = pointwise(%v741) expr="clip(x0,0.0:f32,6.0:f32)"
  %w743: f32[160,576,1,1] = const random(743)
  %w744: f32[160] = const random(744)
  %v745 = conv(%v742, %w743, %w744) pads=[0,0,0,0]
  %w746: f32[960,160,1,1] = const random(746)
  %w747: f32[960] = const random(747)
  %v748 = conv(%v745, %w746, %w747) pads=[0,0,0,0]
  %v749 = pointwise(%v748) expr="clip(x0,0.0:f32,6.0:f32)"
  %w750: f32[960,1,3,3] = const random(750)
  %w751: f32[960] = const random(751)
  %v752 = conv(%v749, %w750, %w751) pads=[1,1,1,1] group=960
  %v753 = pointwise(%v752) expr="clip(x0,0.0:f32,6.0:f32)"
  %w754: f32[160,960,1,1] = const random(754)
  %w755: f32[160] = const random(755)
  %v756 = conv(%v753, %w754, %w755) pads=[0,0,0,0]
  %v757 = pointwise(%v756, %v745) expr="add(x0,x1)"
  %w758: f32[960,160,1,1] = const random(758)
  %w759: f32[960] = const random(759)
  %v760 = conv(%v757, %w758, %w759) pads=[0,0,0,0]
  %v761 = pointwise(%v760) expr="clip(x0,0.0:f32,6.0:f32)"
  %w762: f32[960,1,3,3] = const random(762)
  %w763: f32[960] = const random(763)
  %v764 = conv(%v761, %w762, %w763) pads=[1,1,1,1] group=960
  %v765 = pointwise(%v764) expr="clip(x0,0.0:f32,6.0:f32)"
  %w766: f32[320,960,1,1] = const random(766)
  %w767: f32[320] = const random(767)
  %v768 = conv(%v765, %w766, %w767) pads=[0,0,0,0]
  %w769: f32[1280,320,1,1] = const random(769)
  %w770: f32[1280] = const random(770)
  %v771 = conv(%v768, %w769, %w770) pads=[0,0,0,0]
  %v772 = pointwise(%v771) expr="clip(x0,0.0:f32,6.0:f32)"
  %axes772: i64[2] = const [2, 3]
  %v773 = reduce(%v772, %axes772) kind=mean
  %v774 = flatten(%v773)
  %w775: f32[1280,1000] = const random(775)
  %v776 = matmul(%v774, %w775)
  %w777: f32[1000] = const random(777)
  %v778 = pointwise(%v776, %w777) expr="add(x0,x1)"
  %v779 = softmax(%v778)
  # f32: a layer of a transformer, 1 sequences
  %split781: i64[4] = const [1, 128, 12, 64]
  %join781: i64[3] = const [1, 128, 768]
  %w782: f32[768,768] = const random(782)
  %v783 = matmul(%x780, %w782)
  %w784: f32[768] = const random(784)
  %v785 = pointwise(%v783, %w784) expr="add(x0,x1)"
  %v786 = reshape(%v785, %split781)
  %v787 = transpose(%v786) perm=[0,2,1,3]
  %w788: f32[768,768] = const random(788)
  %v789 = matmul(%x780, %w788)
  %w790: f32[768] = const random(790)
  %v791 = pointwise(%v789, %w790) expr="add(x0,x1)"
  %v792 = reshape(%v791, %split781)
  %v793 = transpose(%v792) perm=[0,2,1,3]
  %w794: f32[768,768] = const random(794)
  %v795 = matmul(%x780, %w794)
  %w796: f32[768] = const random(796)
  %v797 = pointwise(%v795, %w796) expr="add(x0,x1)"
  %v798 = reshape(%v797, %split781)
  %v799 = transpose(%v798) perm=[0,2,1,3]
  %v800 = matmul(%v787, %v793) trans_b=true
  %v801 = pointwise(%v800) expr="mul(x0,0.125:f32)"
  %v802 = softmax(%v801)
  %v803 = matmul(%v802, %v799)
  %v804 = transpose(%v803) perm=[0,2,1,3]
  %v805 = reshape(%v804, %join781)
  %w806: f32[768,768] = const random(806)
  %v807 = matmul(%v805, %w806)
  %w808: f32[768] = const random(808)
  %v809 = pointwise(%v807, %w808, %x780) expr="add(add(x0,x1),x2)"
  %w810: f32[768] = const random(810)
  %w811: f32[768] = const random(811)
  %v812 = layer_norm(%v809, %w810, %w811)
  %w813: f32[768,3072] = const random(813)
  %v814 = matmul(%v812, %w813)
  %w815: f32[3072] = const random(815)
  %v816 = pointwise(%v814, %w815) expr="gelu(add(x0,x1))"
  %w817: f32[3072,768] = const random(817)
  %v818 = matmul(%v816, %w817)
  %w819: f32[768] = const random(819)
  %v820 = pointwise(%v818, %w819, %v812) expr="add(add(x0,x1),x2)"
  %w821: f32[768] = const random(821)
  %w822: f32[768] = const random(822)
  %v823 = layer_norm(%v820, %w821, %w822)
  # f32: alone
  %v827 = pool(%x824) kernel=[2,2] strides=[2,2]
  %v828 = pool(%x824) kernel=[3,3] strides=[1,1] pads=[1,1,1,1] kind=average
  %v829 = pointwise(%x824) expr="relu(x0)"
  %v830 = pointwise(%x824) expr="clip(x0,0.0:f32,6.0:f32)"
  %v831 = pointwise(%x824) expr="mul(x0,sigmoid(x0))"
  %v832 = pointwise(%x824) expr="gelu(x0)"
  %v833 = pointwise(%x824) expr="sigmoid(x0)"
  %v834 = pointwise(%x824, %x825) expr="add(x0,x1)"
  %v835 = pointwise(%x824, %x825) expr="mul(x0,x1)"
  %v836 = pointwise(%x824, %x825) expr="relu(add(x0,x1))"
  %v837 = softmax(%x826)
  %v838 = concat(%x824, %x825) axis=1
  %v839 = transpose(%x824) perm=[0,2,3,1]
  %scales_f32: f32[4] = const [1.0, 1.0, 2.0, 2.0]
  %v840 = resize(%x824, _, %scales_f32)
  %v841 = resize(%x824, _, %scales_f32) mode=linear
  %w842: f32[64,64,3,3] = const random(842)
  %w843: f32[64] = const random(843)
  %v844 = conv(%x824, %w842, %w843) pads=[1,1,1,1]
  %v845 = pointwise(%v844) expr="mul(x0,sigmoid(x0))"
  %w846: f32[64,64,1,1] = const random(846)
  %w847: f32[64] = const random(847)
  %v848 = conv(%v845, %w846, %w847) pads=[0,0,0,0]
  %v849 = pointwise(%v848) expr="mul(x0,sigmoid(x0))"
  %w850: f32[64,64,3,3] = const random(850)
  %w851: f32[64] = const random(851)
  %v852 = conv(%v849, %w850, %w851) pads=[1,1,1,1] strides=[2,2]
  %v853 = pointwise(%v852) expr="mul(x0,sigmoid(x0))"
end
