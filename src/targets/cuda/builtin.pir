# The kernels that are compiled with Pelton (cmake/builtin.cmake): operators as common networks have them, so that an
# engine of this graph, timed a little, wants most of what such networks will want. Shapes choose tiles; few are part of a
# kernel's text.
graph builtin(%x1: f16[1,3,224,224], %x4: f16[1,64,56,56], %x7: f16[1,64,56,56], %x10: f16[1,256,56,56], %x13: f16[1,64,56,56], %x15: f16[1,256,56,56], %x17: f16[1,128,56,56], %x19: f16[1,128,28,28], %x22: f16[1,128,28,28], %x25: f16[1,512,28,28], %x28: f16[1,128,28,28], %x30: f16[1,512,28,28], %x32: f16[1,256,28,28], %x34: f16[1,256,14,14], %x37: f16[1,256,14,14], %x40: f16[1,1024,14,14], %x43: f16[1,256,14,14], %x45: f16[1,1024,14,14], %x47: f16[1,512,14,14], %x49: f16[1,512,7,7], %x52: f16[1,512,7,7], %x55: f16[1,2048,7,7], %x58: f16[1,512,7,7], %x60: f16[1,2048,7,7], %x62: f16[1,1024,7,7], %x64: f16[1,128,28,28], %x67: f16[1,64,56,56], %x69: f16[1,64,56,56], %x71: f16[1,96,56,56], %x74: f16[1,96,112,112], %x77: f16[1,96,56,56], %x79: f16[1,24,56,56], %x82: f16[1,144,28,28], %x84: f16[1,32,28,28], %x86: f16[1,64,40,40], %x89: f16[1,64,40,40], %x92: f16[64,3,224,224], %x95: f16[64,64,56,56], %x98: f16[64,64,56,56], %x101: f16[64,256,56,56], %x104: f16[64,64,56,56], %x106: f16[64,256,56,56], %x108: f16[64,128,56,56], %x110: f16[64,128,28,28], %x113: f16[64,128,28,28], %x116: f16[64,512,28,28], %x119: f16[64,128,28,28], %x121: f16[64,512,28,28], %x123: f16[64,256,28,28], %x125: f16[64,256,14,14], %x128: f16[64,256,14,14], %x131: f16[64,1024,14,14], %x134: f16[64,256,14,14], %x136: f16[64,1024,14,14], %x138: f16[64,512,14,14], %x140: f16[64,512,7,7], %x143: f16[64,512,7,7], %x146: f16[64,2048,7,7], %x149: f16[64,512,7,7], %x151: f16[64,2048,7,7], %x153: f16[64,1024,7,7], %x155: f16[64,128,28,28], %x158: f16[64,64,56,56], %x160: f16[64,64,56,56], %x162: f16[64,96,56,56], %x165: f16[64,96,112,112], %x168: f16[64,96,56,56], %x170: f16[64,24,56,56], %x173: f16[64,144,28,28], %x175: f16[64,32,28,28], %x177: f16[64,64,40,40], %x180: f16[64,64,40,40], %x183: f16[1,128,768], %x186: f16[1,128,768], %x189: f16[1,128,3072], %x191: f16[1,128,768], %x193: f16[64,128,768], %x196: f16[64,128,768], %x199: f16[64,128,3072], %x201: f16[64,128,768], %x203: f16[1,2048], %x206: f16[1,12,128,64], %x207: f16[1,12,128,64], %x208: f16[1,12,128,64], %x210: f16[1,128,768], %x213: f16[1,1000], %x215: f16[1,64,112,112], %x219: f16[1,2048,7,7], %x221: f16[1,64,112,112], %x234: f32[1,3,224,224], %x237: f32[1,64,56,56], %x240: f32[1,64,56,56], %x243: f32[1,256,56,56], %x246: f32[1,64,56,56], %x248: f32[1,256,56,56], %x250: f32[1,128,56,56], %x252: f32[1,128,28,28], %x255: f32[1,128,28,28], %x258: f32[1,512,28,28], %x261: f32[1,128,28,28], %x263: f32[1,512,28,28], %x265: f32[1,256,28,28], %x267: f32[1,256,14,14], %x270: f32[1,256,14,14], %x273: f32[1,1024,14,14], %x276: f32[1,256,14,14], %x278: f32[1,1024,14,14], %x280: f32[1,512,14,14], %x282: f32[1,512,7,7], %x285: f32[1,512,7,7], %x288: f32[1,2048,7,7], %x291: f32[1,512,7,7], %x293: f32[1,2048,7,7], %x295: f32[1,1024,7,7], %x297: f32[1,128,28,28], %x300: f32[1,64,56,56], %x302: f32[1,64,56,56], %x304: f32[1,96,56,56], %x307: f32[1,96,112,112], %x310: f32[1,96,56,56], %x312: f32[1,24,56,56], %x315: f32[1,144,28,28], %x317: f32[1,32,28,28], %x319: f32[1,64,40,40], %x322: f32[1,64,40,40], %x325: f32[1,128,768], %x328: f32[1,128,768], %x331: f32[1,128,3072], %x333: f32[1,128,768], %x335: f32[1,2048], %x338: f32[1,12,128,64], %x339: f32[1,12,128,64], %x340: f32[1,12,128,64], %x342: f32[1,128,768], %x345: f32[1,1000], %x347: f32[1,64,112,112], %x351: f32[1,2048,7,7], %x353: f32[1,64,112,112]) -> (%v3, %v6, %v9, %v12, %v16, %v18, %v21, %v24, %v27, %v31, %v33, %v36, %v39, %v42, %v46, %v48, %v51, %v54, %v57, %v61, %v63, %v66, %v70, %v73, %v76, %v78, %v81, %v85, %v88, %v91, %v94, %v97, %v100, %v103, %v107, %v109, %v112, %v115, %v118, %v122, %v124, %v127, %v130, %v133, %v137, %v139, %v142, %v145, %v148, %v152, %v154, %v157, %v161, %v164, %v167, %v169, %v172, %v176, %v179, %v182, %v185, %v188, %v192, %v195, %v198, %v202, %v205, %v209, %v211, %v212, %v214, %v216, %v217, %v218, %v220, %v222, %v223, %v224, %v225, %v226, %v227, %v228, %v229, %v230, %v231, %v232, %v233, %v236, %v239, %v242, %v245, %v249, %v251, %v254, %v257, %v260, %v264, %v266, %v269, %v272, %v275, %v279, %v281, %v284, %v287, %v290, %v294, %v296, %v299, %v303, %v306, %v309, %v311, %v314, %v318, %v321, %v324, %v327, %v330, %v334, %v337, %v341, %v343, %v344, %v346, %v348, %v349, %v350, %v352, %v354, %v355, %v356, %v357, %v358, %v359, %v360, %v361, %v362, %v363, %v364, %v365)
  # f16: convolutions as in networks for pictures
  %w1: f16[64,3,7,7] = const random(1)
  %w2: f16[64] = const random(2)
  %v2 = conv(%x1, %w1, %w2) pads=[3,3,3,3] strides=[2,2] group=1
  %v3 = pointwise(%v2) expr="relu(x0)"
  %w3: f16[64,64,3,3] = const random(3)
  %w4: f16[64] = const random(4)
  %v5 = conv(%x4, %w3, %w4) pads=[1,1,1,1] strides=[1,1] group=1
  %v6 = pointwise(%v5) expr="relu(x0)"
  %w5: f16[64,64,1,1] = const random(5)
  %w6: f16[64] = const random(6)
  %v8 = conv(%x7, %w5, %w6) pads=[0,0,0,0] strides=[1,1] group=1
  %v9 = pointwise(%v8) expr="relu(x0)"
  %w7: f16[64,256,1,1] = const random(7)
  %w8: f16[64] = const random(8)
  %v11 = conv(%x10, %w7, %w8) pads=[0,0,0,0] strides=[1,1] group=1
  %v12 = pointwise(%v11) expr="relu(x0)"
  %w9: f16[256,64,1,1] = const random(9)
  %w10: f16[256] = const random(10)
  %v14 = conv(%x13, %w9, %w10) pads=[0,0,0,0] strides=[1,1] group=1
  %v16 = pointwise(%v14, %x15) expr="relu(add(x0,x1))"
  %w11: f16[256,128,1,1] = const random(11)
  %w12: f16[256] = const random(12)
  %v18 = conv(%x17, %w11, %w12) pads=[0,0,0,0] strides=[2,2] group=1
  %w13: f16[128,128,3,3] = const random(13)
  %w14: f16[128] = const random(14)
  %v20 = conv(%x19, %w13, %w14) pads=[1,1,1,1] strides=[1,1] group=1
  %v21 = pointwise(%v20) expr="relu(x0)"
  %w15: f16[128,128,1,1] = const random(15)
  %w16: f16[128] = const random(16)
  %v23 = conv(%x22, %w15, %w16) pads=[0,0,0,0] strides=[1,1] group=1
  %v24 = pointwise(%v23) expr="relu(x0)"
  %w17: f16[128,512,1,1] = const random(17)
  %w18: f16[128] = const random(18)
  %v26 = conv(%x25, %w17, %w18) pads=[0,0,0,0] strides=[1,1] group=1
  %v27 = pointwise(%v26) expr="relu(x0)"
  %w19: f16[512,128,1,1] = const random(19)
  %w20: f16[512] = const random(20)
  %v29 = conv(%x28, %w19, %w20) pads=[0,0,0,0] strides=[1,1] group=1
  %v31 = pointwise(%v29, %x30) expr="relu(add(x0,x1))"
  %w21: f16[512,256,1,1] = const random(21)
  %w22: f16[512] = const random(22)
  %v33 = conv(%x32, %w21, %w22) pads=[0,0,0,0] strides=[2,2] group=1
  %w23: f16[256,256,3,3] = const random(23)
  %w24: f16[256] = const random(24)
  %v35 = conv(%x34, %w23, %w24) pads=[1,1,1,1] strides=[1,1] group=1
  %v36 = pointwise(%v35) expr="relu(x0)"
  %w25: f16[256,256,1,1] = const random(25)
  %w26: f16[256] = const random(26)
  %v38 = conv(%x37, %w25, %w26) pads=[0,0,0,0] strides=[1,1] group=1
  %v39 = pointwise(%v38) expr="relu(x0)"
  %w27: f16[256,1024,1,1] = const random(27)
  %w28: f16[256] = const random(28)
  %v41 = conv(%x40, %w27, %w28) pads=[0,0,0,0] strides=[1,1] group=1
  %v42 = pointwise(%v41) expr="relu(x0)"
  %w29: f16[1024,256,1,1] = const random(29)
  %w30: f16[1024] = const random(30)
  %v44 = conv(%x43, %w29, %w30) pads=[0,0,0,0] strides=[1,1] group=1
  %v46 = pointwise(%v44, %x45) expr="relu(add(x0,x1))"
  %w31: f16[1024,512,1,1] = const random(31)
  %w32: f16[1024] = const random(32)
  %v48 = conv(%x47, %w31, %w32) pads=[0,0,0,0] strides=[2,2] group=1
  %w33: f16[512,512,3,3] = const random(33)
  %w34: f16[512] = const random(34)
  %v50 = conv(%x49, %w33, %w34) pads=[1,1,1,1] strides=[1,1] group=1
  %v51 = pointwise(%v50) expr="relu(x0)"
  %w35: f16[512,512,1,1] = const random(35)
  %w36: f16[512] = const random(36)
  %v53 = conv(%x52, %w35, %w36) pads=[0,0,0,0] strides=[1,1] group=1
  %v54 = pointwise(%v53) expr="relu(x0)"
  %w37: f16[512,2048,1,1] = const random(37)
  %w38: f16[512] = const random(38)
  %v56 = conv(%x55, %w37, %w38) pads=[0,0,0,0] strides=[1,1] group=1
  %v57 = pointwise(%v56) expr="relu(x0)"
  %w39: f16[2048,512,1,1] = const random(39)
  %w40: f16[2048] = const random(40)
  %v59 = conv(%x58, %w39, %w40) pads=[0,0,0,0] strides=[1,1] group=1
  %v61 = pointwise(%v59, %x60) expr="relu(add(x0,x1))"
  %w41: f16[2048,1024,1,1] = const random(41)
  %w42: f16[2048] = const random(42)
  %v63 = conv(%x62, %w41, %w42) pads=[0,0,0,0] strides=[1,1] group=1
  %w43: f16[128,128,3,3] = const random(43)
  %w44: f16[128] = const random(44)
  %v65 = conv(%x64, %w43, %w44) pads=[1,1,1,1] strides=[2,2] group=1
  %v66 = pointwise(%v65) expr="relu(x0)"
  %w45: f16[64,64,3,3] = const random(45)
  %w46: f16[64] = const random(46)
  %v68 = conv(%x67, %w45, %w46) pads=[1,1,1,1] strides=[1,1] group=1
  %v70 = pointwise(%v68, %x69) expr="relu(add(x0,x1))"
  %w47: f16[96,1,3,3] = const random(47)
  %w48: f16[96] = const random(48)
  %v72 = conv(%x71, %w47, %w48) pads=[1,1,1,1] strides=[1,1] group=96
  %v73 = pointwise(%v72) expr="clip(x0,0.0:f16,6.0:f16)"
  %w49: f16[96,1,3,3] = const random(49)
  %w50: f16[96] = const random(50)
  %v75 = conv(%x74, %w49, %w50) pads=[1,1,1,1] strides=[2,2] group=96
  %v76 = pointwise(%v75) expr="clip(x0,0.0:f16,6.0:f16)"
  %w51: f16[24,96,1,1] = const random(51)
  %w52: f16[24] = const random(52)
  %v78 = conv(%x77, %w51, %w52) pads=[0,0,0,0] strides=[1,1] group=1
  %w53: f16[144,24,1,1] = const random(53)
  %w54: f16[144] = const random(54)
  %v80 = conv(%x79, %w53, %w54) pads=[0,0,0,0] strides=[1,1] group=1
  %v81 = pointwise(%v80) expr="clip(x0,0.0:f16,6.0:f16)"
  %w55: f16[32,144,1,1] = const random(55)
  %w56: f16[32] = const random(56)
  %v83 = conv(%x82, %w55, %w56) pads=[0,0,0,0] strides=[1,1] group=1
  %v85 = pointwise(%v83, %x84) expr="add(x0,x1)"
  %w57: f16[64,64,3,3] = const random(57)
  %w58: f16[64] = const random(58)
  %v87 = conv(%x86, %w57, %w58) pads=[1,1,1,1] strides=[1,1] group=1
  %v88 = pointwise(%v87) expr="mul(x0,sigmoid(x0))"
  %w59: f16[64,64,1,1] = const random(59)
  %w60: f16[64] = const random(60)
  %v90 = conv(%x89, %w59, %w60) pads=[0,0,0,0] strides=[1,1] group=1
  %v91 = pointwise(%v90) expr="mul(x0,sigmoid(x0))"
  %w61: f16[64,3,7,7] = const random(61)
  %w62: f16[64] = const random(62)
  %v93 = conv(%x92, %w61, %w62) pads=[3,3,3,3] strides=[2,2] group=1
  %v94 = pointwise(%v93) expr="relu(x0)"
  %w63: f16[64,64,3,3] = const random(63)
  %w64: f16[64] = const random(64)
  %v96 = conv(%x95, %w63, %w64) pads=[1,1,1,1] strides=[1,1] group=1
  %v97 = pointwise(%v96) expr="relu(x0)"
  %w65: f16[64,64,1,1] = const random(65)
  %w66: f16[64] = const random(66)
  %v99 = conv(%x98, %w65, %w66) pads=[0,0,0,0] strides=[1,1] group=1
  %v100 = pointwise(%v99) expr="relu(x0)"
  %w67: f16[64,256,1,1] = const random(67)
  %w68: f16[64] = const random(68)
  %v102 = conv(%x101, %w67, %w68) pads=[0,0,0,0] strides=[1,1] group=1
  %v103 = pointwise(%v102) expr="relu(x0)"
  %w69: f16[256,64,1,1] = const random(69)
  %w70: f16[256] = const random(70)
  %v105 = conv(%x104, %w69, %w70) pads=[0,0,0,0] strides=[1,1] group=1
  %v107 = pointwise(%v105, %x106) expr="relu(add(x0,x1))"
  %w71: f16[256,128,1,1] = const random(71)
  %w72: f16[256] = const random(72)
  %v109 = conv(%x108, %w71, %w72) pads=[0,0,0,0] strides=[2,2] group=1
  %w73: f16[128,128,3,3] = const random(73)
  %w74: f16[128] = const random(74)
  %v111 = conv(%x110, %w73, %w74) pads=[1,1,1,1] strides=[1,1] group=1
  %v112 = pointwise(%v111) expr="relu(x0)"
  %w75: f16[128,128,1,1] = const random(75)
  %w76: f16[128] = const random(76)
  %v114 = conv(%x113, %w75, %w76) pads=[0,0,0,0] strides=[1,1] group=1
  %v115 = pointwise(%v114) expr="relu(x0)"
  %w77: f16[128,512,1,1] = const random(77)
  %w78: f16[128] = const random(78)
  %v117 = conv(%x116, %w77, %w78) pads=[0,0,0,0] strides=[1,1] group=1
  %v118 = pointwise(%v117) expr="relu(x0)"
  %w79: f16[512,128,1,1] = const random(79)
  %w80: f16[512] = const random(80)
  %v120 = conv(%x119, %w79, %w80) pads=[0,0,0,0] strides=[1,1] group=1
  %v122 = pointwise(%v120, %x121) expr="relu(add(x0,x1))"
  %w81: f16[512,256,1,1] = const random(81)
  %w82: f16[512] = const random(82)
  %v124 = conv(%x123, %w81, %w82) pads=[0,0,0,0] strides=[2,2] group=1
  %w83: f16[256,256,3,3] = const random(83)
  %w84: f16[256] = const random(84)
  %v126 = conv(%x125, %w83, %w84) pads=[1,1,1,1] strides=[1,1] group=1
  %v127 = pointwise(%v126) expr="relu(x0)"
  %w85: f16[256,256,1,1] = const random(85)
  %w86: f16[256] = const random(86)
  %v129 = conv(%x128, %w85, %w86) pads=[0,0,0,0] strides=[1,1] group=1
  %v130 = pointwise(%v129) expr="relu(x0)"
  %w87: f16[256,1024,1,1] = const random(87)
  %w88: f16[256] = const random(88)
  %v132 = conv(%x131, %w87, %w88) pads=[0,0,0,0] strides=[1,1] group=1
  %v133 = pointwise(%v132) expr="relu(x0)"
  %w89: f16[1024,256,1,1] = const random(89)
  %w90: f16[1024] = const random(90)
  %v135 = conv(%x134, %w89, %w90) pads=[0,0,0,0] strides=[1,1] group=1
  %v137 = pointwise(%v135, %x136) expr="relu(add(x0,x1))"
  %w91: f16[1024,512,1,1] = const random(91)
  %w92: f16[1024] = const random(92)
  %v139 = conv(%x138, %w91, %w92) pads=[0,0,0,0] strides=[2,2] group=1
  %w93: f16[512,512,3,3] = const random(93)
  %w94: f16[512] = const random(94)
  %v141 = conv(%x140, %w93, %w94) pads=[1,1,1,1] strides=[1,1] group=1
  %v142 = pointwise(%v141) expr="relu(x0)"
  %w95: f16[512,512,1,1] = const random(95)
  %w96: f16[512] = const random(96)
  %v144 = conv(%x143, %w95, %w96) pads=[0,0,0,0] strides=[1,1] group=1
  %v145 = pointwise(%v144) expr="relu(x0)"
  %w97: f16[512,2048,1,1] = const random(97)
  %w98: f16[512] = const random(98)
  %v147 = conv(%x146, %w97, %w98) pads=[0,0,0,0] strides=[1,1] group=1
  %v148 = pointwise(%v147) expr="relu(x0)"
  %w99: f16[2048,512,1,1] = const random(99)
  %w100: f16[2048] = const random(100)
  %v150 = conv(%x149, %w99, %w100) pads=[0,0,0,0] strides=[1,1] group=1
  %v152 = pointwise(%v150, %x151) expr="relu(add(x0,x1))"
  %w101: f16[2048,1024,1,1] = const random(101)
  %w102: f16[2048] = const random(102)
  %v154 = conv(%x153, %w101, %w102) pads=[0,0,0,0] strides=[1,1] group=1
  %w103: f16[128,128,3,3] = const random(103)
  %w104: f16[128] = const random(104)
  %v156 = conv(%x155, %w103, %w104) pads=[1,1,1,1] strides=[2,2] group=1
  %v157 = pointwise(%v156) expr="relu(x0)"
  %w105: f16[64,64,3,3] = const random(105)
  %w106: f16[64] = const random(106)
  %v159 = conv(%x158, %w105, %w106) pads=[1,1,1,1] strides=[1,1] group=1
  %v161 = pointwise(%v159, %x160) expr="relu(add(x0,x1))"
  %w107: f16[96,1,3,3] = const random(107)
  %w108: f16[96] = const random(108)
  %v163 = conv(%x162, %w107, %w108) pads=[1,1,1,1] strides=[1,1] group=96
  %v164 = pointwise(%v163) expr="clip(x0,0.0:f16,6.0:f16)"
  %w109: f16[96,1,3,3] = const random(109)
  %w110: f16[96] = const random(110)
  %v166 = conv(%x165, %w109, %w110) pads=[1,1,1,1] strides=[2,2] group=96
  %v167 = pointwise(%v166) expr="clip(x0,0.0:f16,6.0:f16)"
  %w111: f16[24,96,1,1] = const random(111)
  %w112: f16[24] = const random(112)
  %v169 = conv(%x168, %w111, %w112) pads=[0,0,0,0] strides=[1,1] group=1
  %w113: f16[144,24,1,1] = const random(113)
  %w114: f16[144] = const random(114)
  %v171 = conv(%x170, %w113, %w114) pads=[0,0,0,0] strides=[1,1] group=1
  %v172 = pointwise(%v171) expr="clip(x0,0.0:f16,6.0:f16)"
  %w115: f16[32,144,1,1] = const random(115)
  %w116: f16[32] = const random(116)
  %v174 = conv(%x173, %w115, %w116) pads=[0,0,0,0] strides=[1,1] group=1
  %v176 = pointwise(%v174, %x175) expr="add(x0,x1)"
  %w117: f16[64,64,3,3] = const random(117)
  %w118: f16[64] = const random(118)
  %v178 = conv(%x177, %w117, %w118) pads=[1,1,1,1] strides=[1,1] group=1
  %v179 = pointwise(%v178) expr="mul(x0,sigmoid(x0))"
  %w119: f16[64,64,1,1] = const random(119)
  %w120: f16[64] = const random(120)
  %v181 = conv(%x180, %w119, %w120) pads=[0,0,0,0] strides=[1,1] group=1
  %v182 = pointwise(%v181) expr="mul(x0,sigmoid(x0))"
  # f16: products
  %w121: f16[768,768] = const random(121)
  %w122: f16[768] = const random(122)
  %v184 = matmul(%x183, %w121)
  %v185 = pointwise(%v184, %w122) expr="add(x0,x1)"
  %w123: f16[768,3072] = const random(123)
  %w124: f16[3072] = const random(124)
  %v187 = matmul(%x186, %w123)
  %v188 = pointwise(%v187, %w124) expr="gelu(add(x0,x1))"
  %w125: f16[3072,768] = const random(125)
  %w126: f16[768] = const random(126)
  %v190 = matmul(%x189, %w125)
  %v192 = pointwise(%v190, %w126, %x191) expr="add(add(x0,x1),x2)"
  %w127: f16[768,768] = const random(127)
  %w128: f16[768] = const random(128)
  %v194 = matmul(%x193, %w127)
  %v195 = pointwise(%v194, %w128) expr="add(x0,x1)"
  %w129: f16[768,3072] = const random(129)
  %w130: f16[3072] = const random(130)
  %v197 = matmul(%x196, %w129)
  %v198 = pointwise(%v197, %w130) expr="gelu(add(x0,x1))"
  %w131: f16[3072,768] = const random(131)
  %w132: f16[768] = const random(132)
  %v200 = matmul(%x199, %w131)
  %v202 = pointwise(%v200, %w132, %x201) expr="add(add(x0,x1),x2)"
  %w133: f16[2048,1000] = const random(133)
  %w134: f16[1000] = const random(134)
  %v204 = matmul(%x203, %w133)
  %v205 = pointwise(%v204, %w134) expr="add(x0,x1)"
  # f16: attention, rows, pooling, movement, expressions
  %v209 = attention(%x206, %x207, %x208)
  %w135: f16[768] = const random(135)
  %w136: f16[768] = const random(136)
  %v211 = layer_norm(%x210, %w135, %w136)
  %v212 = softmax(%x210)
  %v214 = softmax(%x213)
  %v216 = pool(%x215) kernel=[3,3] strides=[2,2] pads=[1,1,1,1]
  %v217 = pool(%x215) kernel=[2,2] strides=[2,2]
  %v218 = pool(%x215) kernel=[3,3] strides=[1,1] pads=[1,1,1,1] kind=average
  %axes_f16: i64[2] = const [2, 3]
  %v220 = reduce(%x219, %axes_f16) kind=mean keep_dims=true
  %v222 = pointwise(%x215) expr="relu(x0)"
  %v223 = pointwise(%x215) expr="clip(x0,0.0:f16,6.0:f16)"
  %v224 = pointwise(%x215) expr="mul(x0,sigmoid(x0))"
  %v225 = pointwise(%x215) expr="gelu(x0)"
  %v226 = pointwise(%x215) expr="sigmoid(x0)"
  %v227 = pointwise(%x215, %x221) expr="add(x0,x1)"
  %v228 = pointwise(%x215, %x221) expr="mul(x0,x1)"
  %v229 = pointwise(%x215, %x221) expr="relu(add(x0,x1))"
  %v230 = concat(%x215, %x221) axis=1
  %v231 = transpose(%x215) perm=[0,2,3,1]
  %scales_f16: f32[4] = const [1.0, 1.0, 2.0, 2.0]
  %v232 = resize(%x215, _, %scales_f16)
  %v233 = resize(%x215, _, %scales_f16) mode=linear
  # f32: convolutions as in networks for pictures
  %w137: f32[64,3,7,7] = const random(137)
  %w138: f32[64] = const random(138)
  %v235 = conv(%x234, %w137, %w138) pads=[3,3,3,3] strides=[2,2] group=1
  %v236 = pointwise(%v235) expr="relu(x0)"
  %w139: f32[64,64,3,3] = const random(139)
  %w140: f32[64] = const random(140)
  %v238 = conv(%x237, %w139, %w140) pads=[1,1,1,1] strides=[1,1] group=1
  %v239 = pointwise(%v238) expr="relu(x0)"
  %w141: f32[64,64,1,1] = const random(141)
  %w142: f32[64] = const random(142)
  %v241 = conv(%x240, %w141, %w142) pads=[0,0,0,0] strides=[1,1] group=1
  %v242 = pointwise(%v241) expr="relu(x0)"
  %w143: f32[64,256,1,1] = const random(143)
  %w144: f32[64] = const random(144)
  %v244 = conv(%x243, %w143, %w144) pads=[0,0,0,0] strides=[1,1] group=1
  %v245 = pointwise(%v244) expr="relu(x0)"
  %w145: f32[256,64,1,1] = const random(145)
  %w146: f32[256] = const random(146)
  %v247 = conv(%x246, %w145, %w146) pads=[0,0,0,0] strides=[1,1] group=1
  %v249 = pointwise(%v247, %x248) expr="relu(add(x0,x1))"
  %w147: f32[256,128,1,1] = const random(147)
  %w148: f32[256] = const random(148)
  %v251 = conv(%x250, %w147, %w148) pads=[0,0,0,0] strides=[2,2] group=1
  %w149: f32[128,128,3,3] = const random(149)
  %w150: f32[128] = const random(150)
  %v253 = conv(%x252, %w149, %w150) pads=[1,1,1,1] strides=[1,1] group=1
  %v254 = pointwise(%v253) expr="relu(x0)"
  %w151: f32[128,128,1,1] = const random(151)
  %w152: f32[128] = const random(152)
  %v256 = conv(%x255, %w151, %w152) pads=[0,0,0,0] strides=[1,1] group=1
  %v257 = pointwise(%v256) expr="relu(x0)"
  %w153: f32[128,512,1,1] = const random(153)
  %w154: f32[128] = const random(154)
  %v259 = conv(%x258, %w153, %w154) pads=[0,0,0,0] strides=[1,1] group=1
  %v260 = pointwise(%v259) expr="relu(x0)"
  %w155: f32[512,128,1,1] = const random(155)
  %w156: f32[512] = const random(156)
  %v262 = conv(%x261, %w155, %w156) pads=[0,0,0,0] strides=[1,1] group=1
  %v264 = pointwise(%v262, %x263) expr="relu(add(x0,x1))"
  %w157: f32[512,256,1,1] = const random(157)
  %w158: f32[512] = const random(158)
  %v266 = conv(%x265, %w157, %w158) pads=[0,0,0,0] strides=[2,2] group=1
  %w159: f32[256,256,3,3] = const random(159)
  %w160: f32[256] = const random(160)
  %v268 = conv(%x267, %w159, %w160) pads=[1,1,1,1] strides=[1,1] group=1
  %v269 = pointwise(%v268) expr="relu(x0)"
  %w161: f32[256,256,1,1] = const random(161)
  %w162: f32[256] = const random(162)
  %v271 = conv(%x270, %w161, %w162) pads=[0,0,0,0] strides=[1,1] group=1
  %v272 = pointwise(%v271) expr="relu(x0)"
  %w163: f32[256,1024,1,1] = const random(163)
  %w164: f32[256] = const random(164)
  %v274 = conv(%x273, %w163, %w164) pads=[0,0,0,0] strides=[1,1] group=1
  %v275 = pointwise(%v274) expr="relu(x0)"
  %w165: f32[1024,256,1,1] = const random(165)
  %w166: f32[1024] = const random(166)
  %v277 = conv(%x276, %w165, %w166) pads=[0,0,0,0] strides=[1,1] group=1
  %v279 = pointwise(%v277, %x278) expr="relu(add(x0,x1))"
  %w167: f32[1024,512,1,1] = const random(167)
  %w168: f32[1024] = const random(168)
  %v281 = conv(%x280, %w167, %w168) pads=[0,0,0,0] strides=[2,2] group=1
  %w169: f32[512,512,3,3] = const random(169)
  %w170: f32[512] = const random(170)
  %v283 = conv(%x282, %w169, %w170) pads=[1,1,1,1] strides=[1,1] group=1
  %v284 = pointwise(%v283) expr="relu(x0)"
  %w171: f32[512,512,1,1] = const random(171)
  %w172: f32[512] = const random(172)
  %v286 = conv(%x285, %w171, %w172) pads=[0,0,0,0] strides=[1,1] group=1
  %v287 = pointwise(%v286) expr="relu(x0)"
  %w173: f32[512,2048,1,1] = const random(173)
  %w174: f32[512] = const random(174)
  %v289 = conv(%x288, %w173, %w174) pads=[0,0,0,0] strides=[1,1] group=1
  %v290 = pointwise(%v289) expr="relu(x0)"
  %w175: f32[2048,512,1,1] = const random(175)
  %w176: f32[2048] = const random(176)
  %v292 = conv(%x291, %w175, %w176) pads=[0,0,0,0] strides=[1,1] group=1
  %v294 = pointwise(%v292, %x293) expr="relu(add(x0,x1))"
  %w177: f32[2048,1024,1,1] = const random(177)
  %w178: f32[2048] = const random(178)
  %v296 = conv(%x295, %w177, %w178) pads=[0,0,0,0] strides=[1,1] group=1
  %w179: f32[128,128,3,3] = const random(179)
  %w180: f32[128] = const random(180)
  %v298 = conv(%x297, %w179, %w180) pads=[1,1,1,1] strides=[2,2] group=1
  %v299 = pointwise(%v298) expr="relu(x0)"
  %w181: f32[64,64,3,3] = const random(181)
  %w182: f32[64] = const random(182)
  %v301 = conv(%x300, %w181, %w182) pads=[1,1,1,1] strides=[1,1] group=1
  %v303 = pointwise(%v301, %x302) expr="relu(add(x0,x1))"
  %w183: f32[96,1,3,3] = const random(183)
  %w184: f32[96] = const random(184)
  %v305 = conv(%x304, %w183, %w184) pads=[1,1,1,1] strides=[1,1] group=96
  %v306 = pointwise(%v305) expr="clip(x0,0.0:f32,6.0:f32)"
  %w185: f32[96,1,3,3] = const random(185)
  %w186: f32[96] = const random(186)
  %v308 = conv(%x307, %w185, %w186) pads=[1,1,1,1] strides=[2,2] group=96
  %v309 = pointwise(%v308) expr="clip(x0,0.0:f32,6.0:f32)"
  %w187: f32[24,96,1,1] = const random(187)
  %w188: f32[24] = const random(188)
  %v311 = conv(%x310, %w187, %w188) pads=[0,0,0,0] strides=[1,1] group=1
  %w189: f32[144,24,1,1] = const random(189)
  %w190: f32[144] = const random(190)
  %v313 = conv(%x312, %w189, %w190) pads=[0,0,0,0] strides=[1,1] group=1
  %v314 = pointwise(%v313) expr="clip(x0,0.0:f32,6.0:f32)"
  %w191: f32[32,144,1,1] = const random(191)
  %w192: f32[32] = const random(192)
  %v316 = conv(%x315, %w191, %w192) pads=[0,0,0,0] strides=[1,1] group=1
  %v318 = pointwise(%v316, %x317) expr="add(x0,x1)"
  %w193: f32[64,64,3,3] = const random(193)
  %w194: f32[64] = const random(194)
  %v320 = conv(%x319, %w193, %w194) pads=[1,1,1,1] strides=[1,1] group=1
  %v321 = pointwise(%v320) expr="mul(x0,sigmoid(x0))"
  %w195: f32[64,64,1,1] = const random(195)
  %w196: f32[64] = const random(196)
  %v323 = conv(%x322, %w195, %w196) pads=[0,0,0,0] strides=[1,1] group=1
  %v324 = pointwise(%v323) expr="mul(x0,sigmoid(x0))"
  # f32: products
  %w197: f32[768,768] = const random(197)
  %w198: f32[768] = const random(198)
  %v326 = matmul(%x325, %w197)
  %v327 = pointwise(%v326, %w198) expr="add(x0,x1)"
  %w199: f32[768,3072] = const random(199)
  %w200: f32[3072] = const random(200)
  %v329 = matmul(%x328, %w199)
  %v330 = pointwise(%v329, %w200) expr="gelu(add(x0,x1))"
  %w201: f32[3072,768] = const random(201)
  %w202: f32[768] = const random(202)
  %v332 = matmul(%x331, %w201)
  %v334 = pointwise(%v332, %w202, %x333) expr="add(add(x0,x1),x2)"
  %w203: f32[2048,1000] = const random(203)
  %w204: f32[1000] = const random(204)
  %v336 = matmul(%x335, %w203)
  %v337 = pointwise(%v336, %w204) expr="add(x0,x1)"
  # f32: attention, rows, pooling, movement, expressions
  %v341 = attention(%x338, %x339, %x340)
  %w205: f32[768] = const random(205)
  %w206: f32[768] = const random(206)
  %v343 = layer_norm(%x342, %w205, %w206)
  %v344 = softmax(%x342)
  %v346 = softmax(%x345)
  %v348 = pool(%x347) kernel=[3,3] strides=[2,2] pads=[1,1,1,1]
  %v349 = pool(%x347) kernel=[2,2] strides=[2,2]
  %v350 = pool(%x347) kernel=[3,3] strides=[1,1] pads=[1,1,1,1] kind=average
  %axes_f32: i64[2] = const [2, 3]
  %v352 = reduce(%x351, %axes_f32) kind=mean keep_dims=true
  %v354 = pointwise(%x347) expr="relu(x0)"
  %v355 = pointwise(%x347) expr="clip(x0,0.0:f32,6.0:f32)"
  %v356 = pointwise(%x347) expr="mul(x0,sigmoid(x0))"
  %v357 = pointwise(%x347) expr="gelu(x0)"
  %v358 = pointwise(%x347) expr="sigmoid(x0)"
  %v359 = pointwise(%x347, %x353) expr="add(x0,x1)"
  %v360 = pointwise(%x347, %x353) expr="mul(x0,x1)"
  %v361 = pointwise(%x347, %x353) expr="relu(add(x0,x1))"
  %v362 = concat(%x347, %x353) axis=1
  %v363 = transpose(%x347) perm=[0,2,3,1]
  %scales_f32: f32[4] = const [1.0, 1.0, 2.0, 2.0]
  %v364 = resize(%x347, _, %scales_f32)
  %v365 = resize(%x347, _, %scales_f32) mode=linear
end
