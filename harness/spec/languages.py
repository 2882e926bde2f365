"""The two-letter codes of ISO 639-1, so that a misspelt language is an error and not an empty
column; what languages are called, so that the error says the code."""

from collections.abc import Collection, Iterable
from functools import cache

from harness.common.text import as_label, some
from harness.spec.explain import close, show

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
# Hu et al. 2020 (arXiv 2003.11080, appendix, table of languages: name, script, family), those of
# FLORES-200 (NLLB Team 2022, arXiv 2207.04672, table 1; creoles go with the language of their
# words), and some that users bring. Norms: Glottolog, ISO 15924.
_FACTS = """
ace Acehnese|Austronesian|Latin
acm Mesopotamian Arabic|Semitic|Arabic
acq Ta'izzi-Adeni Arabic|Semitic|Arabic
aeb Tunisian Arabic|Semitic|Arabic
af Afrikaans|Germanic|Latin
ajp South Levantine Arabic|Semitic|Arabic
ak Akan|Niger-Congo|Latin
am Amharic|Semitic|Ethiopic
apc North Levantine Arabic|Semitic|Arabic
ar Arabic|Semitic|Arabic
ars Najdi Arabic|Semitic|Arabic
ary Moroccan Arabic|Semitic|Arabic
arz Egyptian Arabic|Semitic|Arabic
as Assamese|Indo-Aryan|Bengali
ast Asturian|Romance|Latin
awa Awadhi|Indo-Aryan|Devanagari
ayr Central Aymara|Aymaran|Latin
az Azerbaijani|Turkic|Latin
azb South Azerbaijani|Turkic|Arabic
ba Bashkir|Turkic|Cyrillic
ban Balinese|Austronesian|Latin
be Belarusian|Slavic|Cyrillic
bem Bemba|Niger-Congo|Latin
bg Bulgarian|Slavic|Cyrillic
bho Bhojpuri|Indo-Aryan|Devanagari
bjn Banjar|Austronesian|Latin
bm Bambara|Mande|Latin
bn Bengali|Indo-Aryan|Bengali
bo Tibetan|Sino-Tibetan|Tibetan
bs Bosnian|Slavic|Latin
bug Buginese|Austronesian|Latin
ca Catalan|Romance|Latin
ceb Cebuano|Austronesian|Latin
cjk Chokwe|Niger-Congo|Latin
ckb Central Kurdish|Iranian|Arabic
crh Crimean Tatar|Turkic|Latin
cs Czech|Slavic|Latin
cy Welsh|Celtic|Latin
da Danish|Germanic|Latin
de German|Germanic|Latin
dik Southwestern Dinka|Nilotic|Latin
dyu Dyula|Mande|Latin
dz Dzongkha|Sino-Tibetan|Tibetan
ee Ewe|Niger-Congo|Latin
el Greek|Hellenic|Greek
en English|Germanic|Latin
eo Esperanto|Constructed|Latin
es Spanish|Romance|Latin
et Estonian|Uralic|Latin
eu Basque|Isolate|Latin
fa Persian|Iranian|Arabic
fi Finnish|Uralic|Latin
fj Fijian|Austronesian|Latin
fo Faroese|Germanic|Latin
fon Fon|Niger-Congo|Latin
fr French|Romance|Latin
fur Friulian|Romance|Latin
fuv Nigerian Fulfulde|Niger-Congo|Latin
ga Irish|Celtic|Latin
gd Scottish Gaelic|Celtic|Latin
gl Galician|Romance|Latin
gn Guarani|Tupian|Latin
gu Gujarati|Indo-Aryan|Gujarati
ha Hausa|Chadic|Latin
he Hebrew|Semitic|Hebrew
hi Hindi|Indo-Aryan|Devanagari
hne Chhattisgarhi|Indo-Aryan|Devanagari
hr Croatian|Slavic|Latin
ht Haitian Creole|Romance|Latin
hu Hungarian|Uralic|Latin
hy Armenian|Armenian|Armenian
id Indonesian|Austronesian|Latin
ig Igbo|Niger-Congo|Latin
ilo Ilocano|Austronesian|Latin
is Icelandic|Germanic|Latin
it Italian|Romance|Latin
ja Japanese|Japonic|Japanese
jv Javanese|Austronesian|Latin
ka Georgian|Kartvelian|Georgian
kab Kabyle|Berber|Latin
kac Jingpho|Sino-Tibetan|Latin
kam Kamba|Niger-Congo|Latin
kbp Kabiye|Niger-Congo|Latin
kea Kabuverdianu|Romance|Latin
kg Kikongo|Niger-Congo|Latin
ki Kikuyu|Niger-Congo|Latin
kk Kazakh|Turkic|Cyrillic
km Khmer|Austroasiatic|Khmer
kmb Kimbundu|Niger-Congo|Latin
kn Kannada|Dravidian|Kannada
knc Central Kanuri|Saharan|Latin
ko Korean|Koreanic|Hangul
ks Kashmiri|Indo-Aryan|Arabic
ku Northern Kurdish|Iranian|Latin
ky Kyrgyz|Turkic|Cyrillic
lb Luxembourgish|Germanic|Latin
lg Ganda|Niger-Congo|Latin
li Limburgish|Germanic|Latin
lij Ligurian|Romance|Latin
lmo Lombard|Romance|Latin
ln Lingala|Niger-Congo|Latin
lo Lao|Kra-Dai|Lao
lt Lithuanian|Baltic|Latin
ltg Latgalian|Baltic|Latin
lua Luba-Kasai|Niger-Congo|Latin
luo Luo|Nilotic|Latin
lus Mizo|Sino-Tibetan|Latin
lv Latvian|Baltic|Latin
mag Magahi|Indo-Aryan|Devanagari
mai Maithili|Indo-Aryan|Devanagari
mg Malagasy|Austronesian|Latin
mi Maori|Austronesian|Latin
min Minangkabau|Austronesian|Latin
mk Macedonian|Slavic|Cyrillic
ml Malayalam|Dravidian|Malayalam
mn Mongolian|Mongolic|Cyrillic
mni Meitei|Sino-Tibetan|Bengali
mos Mossi|Niger-Congo|Latin
mr Marathi|Indo-Aryan|Devanagari
ms Malay|Austronesian|Latin
mt Maltese|Semitic|Latin
my Burmese|Sino-Tibetan|Burmese
nb Norwegian Bokmål|Germanic|Latin
ne Nepali|Indo-Aryan|Devanagari
nl Dutch|Germanic|Latin
nn Norwegian Nynorsk|Germanic|Latin
no Norwegian|Germanic|Latin
nqo Nko|Mande|Nko
nso Northern Sotho|Niger-Congo|Latin
nus Nuer|Nilotic|Latin
ny Chewa|Niger-Congo|Latin
oc Occitan|Romance|Latin
om Oromo|Cushitic|Latin
or Odia|Indo-Aryan|Odia
pa Punjabi|Indo-Aryan|Gurmukhi
pag Pangasinan|Austronesian|Latin
pap Papiamento|Romance|Latin
pl Polish|Slavic|Latin
prs Dari|Iranian|Arabic
ps Pashto|Iranian|Arabic
pt Portuguese|Romance|Latin
qu Quechua|Quechuan|Latin
rn Rundi|Niger-Congo|Latin
ro Romanian|Romance|Latin
ru Russian|Slavic|Cyrillic
rw Kinyarwanda|Niger-Congo|Latin
sa Sanskrit|Indo-Aryan|Devanagari
sat Santali|Austroasiatic|Ol Chiki
sc Sardinian|Romance|Latin
scn Sicilian|Romance|Latin
sd Sindhi|Indo-Aryan|Arabic
sg Sango|Niger-Congo|Latin
shn Shan|Kra-Dai|Burmese
si Sinhala|Indo-Aryan|Sinhala
sk Slovak|Slavic|Latin
sl Slovenian|Slavic|Latin
sm Samoan|Austronesian|Latin
sn Shona|Niger-Congo|Latin
so Somali|Cushitic|Latin
sq Albanian|Albanian|Latin
sr Serbian|Slavic|Cyrillic
ss Swati|Niger-Congo|Latin
st Southern Sotho|Niger-Congo|Latin
su Sundanese|Austronesian|Latin
sv Swedish|Germanic|Latin
sw Swahili|Niger-Congo|Latin
szl Silesian|Slavic|Latin
ta Tamil|Dravidian|Tamil
taq Tamasheq|Berber|Latin
te Telugu|Dravidian|Telugu
tg Tajik|Iranian|Cyrillic
th Thai|Kra-Dai|Thai
ti Tigrinya|Semitic|Ethiopic
tk Turkmen|Turkic|Latin
tl Tagalog|Austronesian|Latin
tn Tswana|Niger-Congo|Latin
tpi Tok Pisin|Germanic|Latin
tr Turkish|Turkic|Latin
ts Tsonga|Niger-Congo|Latin
tt Tatar|Turkic|Cyrillic
tum Tumbuka|Niger-Congo|Latin
tw Twi|Niger-Congo|Latin
tzm Central Atlas Tamazight|Berber|Tifinagh
ug Uyghur|Turkic|Arabic
uk Ukrainian|Slavic|Cyrillic
umb Umbundu|Niger-Congo|Latin
ur Urdu|Indo-Aryan|Arabic
uz Uzbek|Turkic|Latin
vec Venetian|Romance|Latin
vi Vietnamese|Austroasiatic|Latin
war Waray|Austronesian|Latin
wo Wolof|Niger-Congo|Latin
xh Xhosa|Niger-Congo|Latin
yi Yiddish|Germanic|Hebrew
yo Yoruba|Niger-Congo|Latin
yue Cantonese|Sino-Tibetan|Han
zh Chinese|Sino-Tibetan|Han
zu Zulu|Niger-Congo|Latin
"""


# XTREME's, as their speakers call them
_OWN_NAMES = """
ar العربية|bg български|bn বাংলা|de Deutsch|el Ελληνικά|es español|et eesti|eu euskara|fa فارسی
fi suomi|fr français|he עברית|hi हिन्दी|hu magyar|id Bahasa Indonesia|it italiano|ja 日本語
jv Basa Jawa|ka ქართული|kk қазақ тілі|ko 한국어|ml മലയാളം|mr मराठी|ms Bahasa Melayu|my မြန်မာဘာသာ
nl Nederlands|pl polski|pt português|ru русский|sw Kiswahili|ta தமிழ்|te తెలుగు|th ไทย|tl Filipino
tr Türkçe|uk українська|ur اردو|vi Tiếng Việt|yo Yorùbá|zh 中文
"""

# of codes that name one, as ace-Arab
_SCRIPTS = {"Arab": "Arabic", "Deva": "Devanagari", "Hans": "Han", "Hant": "Han", "Latn": "Latin"}
_SCRIPTS |= {"Cyrl": "Cyrillic", "Tfng": "Tifinagh"}


def language_of(word: str) -> str | None:
    """The code of a language that is written as its code, with a region (de-DE, de_DE), or by its
    name, in English or its own; None if it is none of them."""
    plain = word.strip().lower()
    base = plain.replace("_", "-").split("-")[0]
    return base if base in ISO_639_1 else _by_name().get(plain)


@cache
def _by_name() -> dict[str, str]:
    """Name in small letters → code."""
    own = _OWN_NAMES.strip().replace("|", "\n").splitlines()
    lines = [line.split(" ", 1) for line in (*own, *_FACTS.strip().splitlines())]
    return {facts.split("|")[0].lower(): code for code, facts in lines}


def language_meant(word: str, known: Iterable[str] = ()) -> str:
    """The end of a message about what is no code of a language, or none of the `known`: what is
    called so or nearly so, else what there is."""
    codes = sorted(known or ISO_639_1)
    names = {name: code for name, code in _by_name().items() if not known or code in codes}
    code = language_of(word) or names.get(close(word, names) or "")
    near = [one for one in codes if one.split("-")[0] == code]
    if not near and (nearest := close(word, codes)):
        near = [nearest]
    if near:
        return f"; did you mean {' or '.join(map(show, near))}?"
    return f"; there are {some(codes, 40)}" if known else "; write one such as en, de or zh-Hant"


def language_facts(code: str) -> dict[str, str]:
    """name, family and script of a language, by its code, whose region does not matter; "unknown"
    for one that is not in the table."""
    lines = dict(line.split(" ", 1) for line in _FACTS.strip().splitlines())
    base, *subtags = code.split("-")
    name, family, script = lines.get(base, f"{code}|unknown|unknown").split("|")
    for written in filter(_SCRIPTS.get, subtags):
        script = _SCRIPTS[written]
        name = f"{name}, {'traditional ' * (written == 'Hant')}{script}"
    return {"name": name, "family": family, "script": script}


def in_label(languages: Collection[str]) -> str:
    """Languages as a part of a name, the same in any order: `de+sw`, `40languages-1a2b`."""
    return as_label("+".join(sorted(languages)), f"{len(languages)}languages")
