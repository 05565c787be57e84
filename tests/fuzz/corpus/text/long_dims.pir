# an extent whose expression is too long to name: it becomes a symbol that only run time knows
graph shapes(%x: f32[1<=n<=32,3,h,wnsI*IIIIIIIIIIIIIIIIIIIIIIIIIIIIII-III-IconsdIIIII*IIIIIIIIIIIII,IIuIIII*IIIIIIII-IIIIII*IIIIIIII-III-IconsdII,III*IIIIIIIIIIIIIIIIIIIII-IIIIIIpppppppIIuIIII*IIIIIIII-I,IIIII*I...............IIIIIII-III-IconsdIIIII*IIIIIIIIIIIIIII]) -> (%x, %flat)
  %flat = flatten(%x) axis=2
end
