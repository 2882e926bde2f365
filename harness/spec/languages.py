"""The two-letter codes of ISO 639-1, so that a misspelt language is an error and not an empty
column."""

ENGLISH = "en"  # what is trained on

ISO_639_1 = frozenset(
    # A list of quoted codes would hide the misspelt one.
    """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da
    de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz
    ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln
    lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi
    pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti
    tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """.split()  # noqa: SIM905
)

# Code → English name, family (of Indo-European the branch), script. The languages of XTREME, as in
# Hu et al. 2020 (arXiv 2003.11080, appendix, table of languages: name, script, family), and some
# that users bring. Norms: Glottolog, ISO 15924.
_FACTS = """
af Afrikaans|Germanic|Latin
am Amharic|Semitic|Ethiopic
ar Arabic|Semitic|Arabic
az Azerbaijani|Turkic|Latin
be Belarusian|Slavic|Cyrillic
bg Bulgarian|Slavic|Cyrillic
bn Bengali|Indo-Aryan|Bengali
ca Catalan|Romance|Latin
cs Czech|Slavic|Latin
cy Welsh|Celtic|Latin
da Danish|Germanic|Latin
de German|Germanic|Latin
el Greek|Hellenic|Greek
en English|Germanic|Latin
es Spanish|Romance|Latin
et Estonian|Uralic|Latin
eu Basque|Isolate|Latin
fa Persian|Iranian|Arabic
fi Finnish|Uralic|Latin
fr French|Romance|Latin
ga Irish|Celtic|Latin
gu Gujarati|Indo-Aryan|Gujarati
ha Hausa|Chadic|Latin
he Hebrew|Semitic|Hebrew
hi Hindi|Indo-Aryan|Devanagari
hr Croatian|Slavic|Latin
ht Haitian Creole|Romance|Latin
hu Hungarian|Uralic|Latin
hy Armenian|Armenian|Armenian
id Indonesian|Austronesian|Latin
ig Igbo|Niger-Congo|Latin
it Italian|Romance|Latin
ja Japanese|Japonic|Japanese
jv Javanese|Austronesian|Latin
ka Georgian|Kartvelian|Georgian
kk Kazakh|Turkic|Cyrillic
km Khmer|Austroasiatic|Khmer
kn Kannada|Dravidian|Kannada
ko Korean|Koreanic|Hangul
lt Lithuanian|Baltic|Latin
lv Latvian|Baltic|Latin
ml Malayalam|Dravidian|Malayalam
mn Mongolian|Mongolic|Cyrillic
mr Marathi|Indo-Aryan|Devanagari
ms Malay|Austronesian|Latin
my Burmese|Sino-Tibetan|Burmese
ne Nepali|Indo-Aryan|Devanagari
nl Dutch|Germanic|Latin
no Norwegian|Germanic|Latin
pa Punjabi|Indo-Aryan|Gurmukhi
pl Polish|Slavic|Latin
pt Portuguese|Romance|Latin
qu Quechua|Quechuan|Latin
ro Romanian|Romance|Latin
ru Russian|Slavic|Cyrillic
si Sinhala|Indo-Aryan|Sinhala
sk Slovak|Slavic|Latin
sl Slovenian|Slavic|Latin
so Somali|Cushitic|Latin
sq Albanian|Albanian|Latin
sr Serbian|Slavic|Cyrillic
sv Swedish|Germanic|Latin
sw Swahili|Niger-Congo|Latin
ta Tamil|Dravidian|Tamil
te Telugu|Dravidian|Telugu
th Thai|Kra-Dai|Thai
tl Tagalog|Austronesian|Latin
tr Turkish|Turkic|Latin
uk Ukrainian|Slavic|Cyrillic
ur Urdu|Indo-Aryan|Arabic
uz Uzbek|Turkic|Latin
vi Vietnamese|Austroasiatic|Latin
wo Wolof|Niger-Congo|Latin
xh Xhosa|Niger-Congo|Latin
yo Yoruba|Niger-Congo|Latin
zh Chinese|Sino-Tibetan|Han
zu Zulu|Niger-Congo|Latin
"""


def language_facts(code: str) -> dict[str, str]:
    """name, family and script of a language, by its code without a region; "unknown" for one that
    is not in the table."""
    lines = dict(line.split(" ", 1) for line in _FACTS.strip().splitlines())
    name, family, script = lines.get(code.split("-")[0], f"{code}|unknown|unknown").split("|")
    return {"name": name, "family": family, "script": script}
