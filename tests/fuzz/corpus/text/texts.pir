graph "texts"(%x: string[n<=8]) -> (%y, %p, %k, %m, %f)
  %c: string[2] = const ["a b", "\x00\x0a\"\\ü"]
  %w: string[1] = const ["the"]
  %one: string[] = const ["!"]
  %v: i64[2] = const [4, 5]
  %d: i64[] = const [-1]
  %n = text_normalize(%x, %w) letters=lower
  %j = text_concat(%n, %one)
  %p, %q = text_split(%j) delimiter=" " most_splits=3
  %y = lookup(%x, %c, %v, %d)
  %t = to_text(%q)
  %k = from_text(%t) to=f16
  %m = text_match(%x) pattern="(?i)[a-z\\d]+|\\pL{2,3}?"
  %f = tf_idf(%x, %c) most_gram=2 most_skips=1 gram_starts=[0,2] gram_columns=[1,0]
end
