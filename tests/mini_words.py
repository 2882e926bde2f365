# ruff: noqa: E501
"""The words of the smoke suite: names, sentence templates and tagged phrases in eight languages.

Every list is parallel: entry i means the same thing in each language, so that `mini_rows.py` can draw
a meaning once, as indices, and write it in any language. Country, day, month, currency and
language names are not here: Babel's CLDR data give them. Templates keep an inserted name in its
dictionary form (beside a copula, or behind a colon), because CLDR does not inflect. A list of
single words is one string, split at spaces by its reader.
"""

# Left out: countries that take an article in some language (der Tschad, the Philippines), whose
# name would not fit the templates, and currencies whose CLDR name does not agree (Arabic rupee).
TERRITORIES = (
    "AO AR AM AT BE BO BR BG KH CM CA CL CN CO CR HR CU CY DK EC EG EE ET FI FR GE DE GH GR HU IS "
    "IN ID IE IT JP JO KZ KE LV LT MG MY MT MX MA NP NZ NG NO PA PY PE PL PT RO RU SA RS KR ES LK "
    "SE TZ TH TN UG UY UZ VE VN ZM ZW"
)
CURRENCIES = "EUR JPY RUB MXN BRL PEN PLN VND KES CHF CAD EGP SEK NOK DKK MAD TND ARS CLP COP"
TONGUES = "en fr de es ru ar zh hi ja it pt tr fi el pl vi th ko uk he ka hy sv da nl cs hu"

_CITIES_EN = (
    "Berlin Paris Madrid London Moscow Beijing Delhi Rome Tokyo Vienna Lima Seoul Sydney Lisbon"
)
CITIES = {
    "en": _CITIES_EN,
    "de": (
        "Berlin Paris Madrid London Moskau Peking Delhi Rom Tokio Wien Lima Seoul Sydney Lissabon"
    ),
    "es": "Berlín París Madrid Londres Moscú Pekín Delhi Roma Tokio Viena Lima Seúl Sídney Lisboa",
    "fr": (
        "Berlin Paris Madrid Londres Moscou Pékin Delhi Rome Tokyo Vienne Lima Séoul Sydney"
        " Lisbonne"
    ),
    "ru": "Берлин Париж Мадрид Лондон Москва Пекин Дели Рим Токио Вена Лима Сеул Сидней Лиссабон",
    "ar": "برلين باريس مدريد لندن موسكو بكين دلهي روما طوكيو فيينا ليما سيول سيدني لشبونة",
    "zh": "柏林 巴黎 马德里 伦敦 莫斯科 北京 德里 罗马 东京 维也纳 利马 首尔 悉尼 里斯本",
    "hi": "बर्लिन पेरिस मैड्रिड लंदन मॉस्को बीजिंग दिल्ली रोम टोक्यो वियना लीमा सियोल सिडनी लिस्बन",
}
# "University of X" needs the genitive in Russian, and only there.
CITIES_OF = {
    **CITIES,
    "ru": (
        "Берлина Парижа Мадрида Лондона Москвы Пекина Дели Рима Токио Вены Лимы Сеула Сиднея"
        " Лиссабона"
    ),
}
ORGANISATIONS = {
    "en": ("University of {}", "Museum of {}", "Bank of {}", "Academy of {}"),
    "de": ("Universität {}", "Museum {}", "Bank {}", "Akademie {}"),
    "es": ("Universidad de {}", "Museo de {}", "Banco de {}", "Academia de {}"),
    "fr": ("Université de {}", "Musée de {}", "Banque de {}", "Académie de {}"),
    "ru": ("Университет {}", "Музей {}", "Банк {}", "Академия {}"),
    "ar": ("جامعة {}", "متحف {}", "بنك {}", "أكاديمية {}"),
    "zh": ("{}大学", "{}博物馆", "{}银行", "{}学院"),
    "hi": ("{} विश्वविद्यालय", "{} संग्रहालय", "{} बैंक", "{} अकादमी"),
}

# Common given names, and family names that are made up.
_GIVEN_EN = "Anna Maria Daniel Laura David Sofia Omar Nina Adam Sara Martin Clara"
_FAMILY_EN = "Kovar Marden Belmor Sandel Lorin Vermon Dalmar Rostan Tolvan Norden"
GIVEN = {
    "en": _GIVEN_EN,
    "de": _GIVEN_EN,
    "es": "Ana María Daniel Laura David Sofía Omar Nina Adán Sara Martín Clara",
    "fr": "Anna Maria Daniel Laura David Sofia Omar Nina Adam Sara Martin Clara",
    "ru": "Анна Мария Даниэль Лаура Давид София Омар Нина Адам Сара Мартин Клара",
    "ar": "آنا ماريا دانيال لورا ديفيد صوفيا عمر نينا آدم سارة مارتن كلارا",
    "zh": "安娜 玛丽亚 丹尼尔 劳拉 大卫 索菲亚 奥马尔 尼娜 亚当 萨拉 马丁 克拉拉",
    "hi": "अन्ना मारिया डैनियल लौरा डेविड सोफ़िया उमर नीना एडम सारा मार्टिन क्लारा",
}
FAMILY = {
    **dict.fromkeys(("en", "de", "es", "fr"), _FAMILY_EN),
    "ru": "Ковар Марден Бельмор Сандель Лорин Вермон Далмар Ростан Толван Норден",
    "ar": "كوفار ماردن بلمور ساندل لورين فيرمون دالمار روستان تولفان نوردن",
    "zh": "科瓦尔 马登 贝尔莫 桑德尔 洛里恩 韦尔蒙 达尔马 罗斯坦 托尔万 诺登",
    "hi": "कोवार मार्डेन बेलमोर सैंडेल लोरिन वर्मोन दालमार रोस्तान तोलवान नॉर्डेन",
}

# One fact about a journey, by kind: (a sentence, a label for "label: value", a question).
KINDS = ("who", "start", "end", "city", "day", "month", "money", "tongue")
_FACTS = {
    "en": (
        """
        The guide's name is {}. | Guide | What is the guide's name?
        The country of departure is {}. | Departure | What is the country of departure?
        The country of arrival is {}. | Arrival | What is the country of arrival?
        The host city is {}. | City | What is the host city?
        The day of the journey is {}. | Day | What is the day of the journey?
        The month of the journey is {}. | Month | What is the month of the journey?
        Prices are in this currency: {}. | Currency | What currency are the prices in?
        The language of the tour is {}. | Language | What is the language of the tour?"""
    ),
    "de": (
        """
        Die Reiseleitung heißt {}. | Reiseleitung | Wie heißt die Reiseleitung?
        Das Land der Abreise ist {}. | Abreise | Was ist das Land der Abreise?
        Das Land der Ankunft ist {}. | Ankunft | Was ist das Land der Ankunft?
        Die gastgebende Stadt ist {}. | Stadt | Wie heißt die gastgebende Stadt?
        Der Reisetag ist {}. | Tag | Was ist der Reisetag?
        Der Reisemonat ist {}. | Monat | Was ist der Reisemonat?
        Die Preise gelten in dieser Währung: {}. | Währung | In welcher Währung gelten die Preise?
        Die Sprache der Führung ist {}. | Sprache | Was ist die Sprache der Führung?"""
    ),
    "es": (
        """
        Quien guía al grupo se llama {}. | Guía | ¿Cómo se llama quien guía al grupo?
        El país de salida es {}. | Salida | ¿Cuál es el país de salida?
        El país de llegada es {}. | Llegada | ¿Cuál es el país de llegada?
        La ciudad anfitriona es {}. | Ciudad | ¿Cuál es la ciudad anfitriona?
        El día del viaje es el {}. | Día | ¿Cuál es el día del viaje?
        El mes del viaje es {}. | Mes | ¿Cuál es el mes del viaje?
        Los precios están en esta moneda: {}. | Moneda | ¿En qué moneda están los precios?
        El idioma de la visita es el {}. | Idioma | ¿Cuál es el idioma de la visita?"""
    ),
    "fr": (
        """
        Le groupe est guidé par {}. | Guide | Par qui le groupe est-il guidé ?
        Le voyage part de ce pays : {}. | Départ | De quel pays part le voyage ?
        Le voyage arrive dans ce pays : {}. | Arrivée | Dans quel pays arrive le voyage ?
        La ville hôte est {}. | Ville | Quelle est la ville hôte ?
        Le jour du voyage est le {}. | Jour | Quel est le jour du voyage ?
        Le mois du voyage est le suivant : {}. | Mois | Quel est le mois du voyage ?
        Les prix sont dans cette monnaie : {}. | Monnaie | Dans quelle monnaie sont les prix ?
        La langue de la visite est la suivante : {}. | Langue | Quelle est la langue de la visite ?"""
    ),
    "ru": (
        """
        Гида зовут {}. | Гид | Как зовут гида?
        Страна отправления — {}. | Отправление | Из какой страны отправляется группа?
        Страна прибытия — {}. | Прибытие | В какую страну прибывает группа?
        Принимающий город — {}. | Город | Какой город принимает группу?
        День поездки — {}. | День | В какой день состоится поездка?
        Месяц поездки — {}. | Месяц | В каком месяце состоится поездка?
        Цены указаны в этой валюте: {}. | Валюта | В какой валюте указаны цены?
        Язык экскурсии — {}. | Язык | На каком языке экскурсия?"""
    ),
    "ar": (
        """
        اسم المرشد هو {}. | المرشد | ما اسم المرشد؟
        بلد المغادرة هو {}. | المغادرة | ما بلد المغادرة؟
        بلد الوصول هو {}. | الوصول | ما بلد الوصول؟
        المدينة المضيفة هي {}. | المدينة | ما المدينة المضيفة؟
        يوم الرحلة هو {}. | اليوم | ما يوم الرحلة؟
        شهر الرحلة هو {}. | الشهر | ما شهر الرحلة؟
        الأسعار بهذه العملة: {}. | العملة | بأي عملة الأسعار؟
        لغة الجولة هي {}. | اللغة | ما لغة الجولة؟"""
    ),
    "zh": (
        """
        导游的名字是{}。 | 导游 | 导游的名字是什么？
        出发国家是{}。 | 出发 | 出发国家是哪个国家？
        到达国家是{}。 | 到达 | 到达国家是哪个国家？
        主办城市是{}。 | 城市 | 主办城市是哪个城市？
        旅行的那一天是{}。 | 日期 | 旅行的那一天是星期几？
        旅行的月份是{}。 | 月份 | 旅行的月份是几月？
        价格使用的货币是{}。 | 货币 | 价格使用什么货币？
        导览的语言是{}。 | 语言 | 导览的语言是什么？"""
    ),
    "hi": (
        """
        गाइड का नाम {} है। | गाइड | गाइड का नाम क्या है?
        प्रस्थान का देश {} है। | प्रस्थान | प्रस्थान का देश कौन सा है?
        आगमन का देश {} है। | आगमन | आगमन का देश कौन सा है?
        मेज़बान शहर {} है। | शहर | मेज़बान शहर कौन सा है?
        यात्रा का दिन {} है। | दिन | यात्रा का दिन कौन सा है?
        यात्रा का महीना {} है। | महीना | यात्रा का महीना कौन सा है?
        कीमतें इस मुद्रा में हैं: {}। | मुद्रा | कीमतें किस मुद्रा में हैं?
        भ्रमण की भाषा {} है। | भाषा | भ्रमण की भाषा कौन सी है?"""
    ),
}


def _lines(block):
    return [line.strip() for line in block.strip().splitlines()]


FACTS = {
    language: dict(zip(KINDS, (tuple(line.split(" | ")) for line in _lines(block)), strict=True))
    for language, block in _FACTS.items()
}

# Tagged phrases for `udpos`, each token "word/TAG", split as Universal Dependencies splits the
# language (Arabic "and" apart from its noun, no German or Spanish contractions). All subjects are
# masculine singular and all verbs present tense, so that any subject goes with any predicate;
# "{}" in a predicate is where the language puts the time or place.
SUBJECTS, PREDICATES, PLACES, FRAMES = {}, {}, {}, {}


def _phrases(language, subjects, predicates, places, frames):
    tables = (SUBJECTS, subjects), (PREDICATES, predicates), (PLACES, places), (FRAMES, frames)
    for table, block in tables:
        table[language] = [phrase.strip() for phrase in block.split(";")]


_phrases(
    "en",
    """the/DET old/ADJ doctor/NOUN ; the/DET young/ADJ teacher/NOUN ; this/DET student/NOUN ;
    Peter/PROPN ; Ahmed/PROPN ; he/PRON ; the/DET president/NOUN of/ADP Egypt/PROPN ;
    the/DET new/ADJ engineer/NOUN ; the/DET tall/ADJ farmer/NOUN ;
    the/DET famous/ADJ writer/NOUN""",
    """reads/VERB a/DET book/NOUN {} ; buys/VERB three/NUM apples/NOUN {} ;
    drinks/VERB hot/ADJ tea/NOUN {} ; writes/VERB a/DET long/ADJ letter/NOUN {} ;
    does/AUX not/PART use/VERB the/DET key/NOUN {} ;
    visits/VERB the/DET museum/NOUN and/CCONJ the/DET park/NOUN {} ;
    is/AUX very/ADV happy/ADJ {} ; works/VERB with/ADP three/NUM friends/NOUN {} ;
    also/ADV eats/VERB fish/NOUN {} ; opens/VERB the/DET big/ADJ window/NOUN {}""",
    """today/NOUN ; in/ADP the/DET city/NOUN ; at/ADP home/NOUN ; in/ADP Paris/PROPN ;
    every/DET day/NOUN ; in/ADP the/DET morning/NOUN ; in/ADP a/DET small/ADJ village/NOUN ;
    here/ADV""",
    """{} ./PUNCT ; {} ,/PUNCT and/CCONJ he/PRON is/AUX rich/ADJ ./PUNCT ;
    {} when/SCONJ it/PRON rains/VERB ./PUNCT""",
)
_phrases(
    "de",
    """der/DET alte/ADJ Arzt/NOUN ; der/DET junge/ADJ Lehrer/NOUN ; dieser/DET Student/NOUN ;
    Peter/PROPN ; Ahmed/PROPN ; er/PRON ; der/DET Präsident/NOUN von/ADP Ägypten/PROPN ;
    der/DET neue/ADJ Ingenieur/NOUN ; der/DET große/ADJ Bauer/NOUN ;
    der/DET berühmte/ADJ Schriftsteller/NOUN""",
    """liest/VERB {} ein/DET Buch/NOUN ; kauft/VERB {} drei/NUM Äpfel/NOUN ;
    trinkt/VERB {} heißen/ADJ Tee/NOUN ; schreibt/VERB {} einen/DET langen/ADJ Brief/NOUN ;
    benutzt/VERB {} den/DET Schlüssel/NOUN nicht/PART ;
    besucht/VERB {} das/DET Museum/NOUN und/CCONJ den/DET Park/NOUN ;
    ist/AUX {} sehr/ADV glücklich/ADJ ; arbeitet/VERB {} mit/ADP drei/NUM Freunden/NOUN ;
    isst/VERB {} auch/ADV Fisch/NOUN ; öffnet/VERB {} das/DET große/ADJ Fenster/NOUN""",
    """heute/ADV ; in/ADP der/DET Stadt/NOUN ; zu/ADP Hause/NOUN ; in/ADP Paris/PROPN ;
    jeden/DET Tag/NOUN ; morgens/ADV ; in/ADP einem/DET kleinen/ADJ Dorf/NOUN ; hier/ADV""",
    """{} ./PUNCT ; {} ,/PUNCT und/CCONJ er/PRON ist/AUX reich/ADJ ./PUNCT ;
    {} ,/PUNCT wenn/SCONJ es/PRON regnet/VERB ./PUNCT""",
)
_phrases(
    "es",
    """el/DET viejo/ADJ médico/NOUN ; el/DET joven/ADJ profesor/NOUN ; este/DET estudiante/NOUN ;
    Pedro/PROPN ; Ahmed/PROPN ; él/PRON ; el/DET presidente/NOUN de/ADP Egipto/PROPN ;
    el/DET nuevo/ADJ ingeniero/NOUN ; el/DET agricultor/NOUN alto/ADJ ;
    el/DET escritor/NOUN famoso/ADJ""",
    """lee/VERB un/DET libro/NOUN {} ; compra/VERB tres/NUM manzanas/NOUN {} ;
    bebe/VERB té/NOUN caliente/ADJ {} ; escribe/VERB una/DET carta/NOUN larga/ADJ {} ;
    no/ADV usa/VERB la/DET llave/NOUN {} ;
    visita/VERB el/DET museo/NOUN y/CCONJ el/DET parque/NOUN {} ;
    está/AUX muy/ADV contento/ADJ {} ; trabaja/VERB con/ADP tres/NUM amigos/NOUN {} ;
    también/ADV come/VERB pescado/NOUN {} ; abre/VERB la/DET ventana/NOUN grande/ADJ {}""",
    """hoy/ADV ; en/ADP la/DET ciudad/NOUN ; en/ADP casa/NOUN ; en/ADP París/PROPN ;
    cada/DET día/NOUN ; por/ADP la/DET mañana/NOUN ; en/ADP un/DET pequeño/ADJ pueblo/NOUN ;
    aquí/ADV""",
    """{} ./PUNCT ; {} ,/PUNCT y/CCONJ es/AUX rico/ADJ ./PUNCT ;
    {} cuando/SCONJ llueve/VERB ./PUNCT""",
)
_phrases(
    "fr",
    """le/DET vieux/ADJ médecin/NOUN ; le/DET jeune/ADJ professeur/NOUN ; cet/DET étudiant/NOUN ;
    Pierre/PROPN ; Ahmed/PROPN ; il/PRON ; le/DET président/NOUN de/ADP l'/DET Égypte/PROPN ;
    le/DET nouvel/ADJ ingénieur/NOUN ; le/DET grand/ADJ fermier/NOUN ;
    le/DET célèbre/ADJ écrivain/NOUN""",
    """lit/VERB un/DET livre/NOUN {} ; achète/VERB trois/NUM pommes/NOUN {} ;
    boit/VERB du/DET thé/NOUN chaud/ADJ {} ; écrit/VERB une/DET longue/ADJ lettre/NOUN {} ;
    n'/ADV utilise/VERB pas/ADV la/DET clé/NOUN {} ;
    visite/VERB le/DET musée/NOUN et/CCONJ le/DET parc/NOUN {} ; est/AUX très/ADV content/ADJ {} ;
    travaille/VERB avec/ADP trois/NUM amis/NOUN {} ;
    mange/VERB aussi/ADV du/DET poisson/NOUN {} ;
    ouvre/VERB la/DET grande/ADJ fenêtre/NOUN {}""",
    """aujourd'hui/ADV ; dans/ADP la/DET ville/NOUN ; à/ADP la/DET maison/NOUN ; à/ADP Paris/PROPN ;
    chaque/DET jour/NOUN ; le/DET matin/NOUN ; dans/ADP un/DET petit/ADJ village/NOUN ; ici/ADV""",
    """{} ./PUNCT ; {} ,/PUNCT et/CCONJ il/PRON est/AUX riche/ADJ ./PUNCT ;
    {} quand/SCONJ il/PRON pleut/VERB ./PUNCT""",
)
_phrases(
    "ru",
    """старый/ADJ врач/NOUN ; молодой/ADJ учитель/NOUN ; этот/DET студент/NOUN ; Пётр/PROPN ;
    Ахмед/PROPN ; он/PRON ; президент/NOUN Египта/PROPN ; новый/ADJ инженер/NOUN ;
    высокий/ADJ фермер/NOUN ; известный/ADJ писатель/NOUN""",
    """{} читает/VERB книгу/NOUN ; {} покупает/VERB три/NUM яблока/NOUN ;
    {} пьёт/VERB горячий/ADJ чай/NOUN ; {} пишет/VERB длинное/ADJ письмо/NOUN ;
    {} не/PART использует/VERB ключ/NOUN ; {} посещает/VERB музей/NOUN и/CCONJ парк/NOUN ;
    {} очень/ADV счастлив/ADJ ; {} работает/VERB с/ADP тремя/NUM друзьями/NOUN ;
    {} тоже/ADV ест/VERB рыбу/NOUN ; {} открывает/VERB большое/ADJ окно/NOUN""",
    """сегодня/ADV ; в/ADP городе/NOUN ; дома/ADV ; в/ADP Париже/PROPN ; каждый/DET день/NOUN ;
    утром/ADV ; в/ADP маленькой/ADJ деревне/NOUN ; здесь/ADV""",
    """{} ./PUNCT ; {} ,/PUNCT и/CCONJ он/PRON богат/ADJ ./PUNCT ;
    {} ,/PUNCT когда/SCONJ идёт/VERB дождь/NOUN ./PUNCT""",
)
_phrases(
    "ar",
    """الطبيب/NOUN العجوز/ADJ ; المعلم/NOUN الشاب/ADJ ; هذا/DET الطالب/NOUN ; بطرس/PROPN ;
    أحمد/PROPN ; هو/PRON ; رئيس/NOUN مصر/PROPN ; المهندس/NOUN الجديد/ADJ ;
    الفلاح/NOUN الطويل/ADJ ; الكاتب/NOUN المشهور/ADJ""",
    """يقرأ/VERB كتابا/NOUN {} ; يشتري/VERB ثلاث/NUM تفاحات/NOUN {} ;
    يشرب/VERB شايا/NOUN ساخنا/ADJ {} ; يكتب/VERB رسالة/NOUN طويلة/ADJ {} ;
    لا/PART يستخدم/VERB المفتاح/NOUN {} ; يزور/VERB المتحف/NOUN و/CCONJ الحديقة/NOUN {} ;
    سعيد/ADJ جدا/ADV {} ; يعمل/VERB مع/ADP ثلاثة/NUM أصدقاء/NOUN {} ;
    يأكل/VERB السمك/NOUN أيضا/ADV {} ; يفتح/VERB النافذة/NOUN الكبيرة/ADJ {}""",
    """اليوم/NOUN ; في/ADP المدينة/NOUN ; في/ADP البيت/NOUN ; في/ADP باريس/PROPN ; كل/DET يوم/NOUN ;
    في/ADP الصباح/NOUN ; في/ADP قرية/NOUN صغيرة/ADJ ; هنا/ADV""",
    """{} ./PUNCT ; {} ،/PUNCT و/CCONJ هو/PRON غني/ADJ ./PUNCT ;
    {} عندما/SCONJ ينزل/VERB المطر/NOUN ./PUNCT""",
)
_phrases(
    "zh",
    """老/ADJ 医生/NOUN ; 年轻/ADJ 的/PART 老师/NOUN ; 这/DET 名/NOUN 学生/NOUN ; 彼得/PROPN ; 艾哈迈德/PROPN ;
    他/PRON ; 埃及/PROPN 总统/NOUN ; 新/ADJ 工程师/NOUN ; 高大/ADJ 的/PART 农民/NOUN ; 著名/ADJ 的/PART 作家/NOUN""",
    """{} 读/VERB 一/NUM 本/NOUN 书/NOUN ; {} 买/VERB 三/NUM 个/NOUN 苹果/NOUN ; {} 喝/VERB 热/ADJ 茶/NOUN ;
    {} 写/VERB 一/NUM 封/NOUN 长/ADJ 信/NOUN ; {} 不/ADV 使用/VERB 钥匙/NOUN ;
    {} 参观/VERB 博物馆/NOUN 和/CCONJ 公园/NOUN ; {} 非常/ADV 高兴/ADJ ;
    {} 和/ADP 三/NUM 个/NOUN 朋友/NOUN 一起/ADV 工作/VERB ; {} 也/ADV 吃/VERB 鱼/NOUN ;
    {} 打开/VERB 大/ADJ 窗户/NOUN""",
    """今天/NOUN ; 在/ADP 城市/NOUN 里/ADP ; 在/ADP 家/NOUN 里/ADP ; 在/ADP 巴黎/PROPN ; 每/DET 天/NOUN ; 早上/NOUN ;
    在/ADP 一/NUM 个/NOUN 小/ADJ 村庄/NOUN 里/ADP ; 在/ADP 这里/PRON""",
    """{} 。/PUNCT ; {} ，/PUNCT 他/PRON 很/ADV 富有/ADJ 。/PUNCT ; 下雨/VERB 时/NOUN ，/PUNCT {} 。/PUNCT""",
)
_phrases(
    "hi",
    """बूढ़ा/ADJ डॉक्टर/NOUN ; युवा/ADJ शिक्षक/NOUN ; यह/DET छात्र/NOUN ; पीटर/PROPN ; अहमद/PROPN ;
    वह/PRON ; मिस्र/PROPN का/ADP राष्ट्रपति/NOUN ; नया/ADJ इंजीनियर/NOUN ; लंबा/ADJ किसान/NOUN ;
    प्रसिद्ध/ADJ लेखक/NOUN""",
    """{} एक/NUM किताब/NOUN पढ़ता/VERB है/AUX ; {} तीन/NUM सेब/NOUN खरीदता/VERB है/AUX ;
    {} गर्म/ADJ चाय/NOUN पीता/VERB है/AUX ; {} एक/NUM लंबा/ADJ पत्र/NOUN लिखता/VERB है/AUX ;
    {} चाबी/NOUN का/ADP उपयोग/NOUN नहीं/PART करता/VERB ;
    {} संग्रहालय/NOUN और/CCONJ पार्क/NOUN देखता/VERB है/AUX ; {} बहुत/ADV खुश/ADJ है/AUX ;
    {} तीन/NUM दोस्तों/NOUN के/ADP साथ/ADP काम/NOUN करता/VERB है/AUX ;
    {} मछली/NOUN भी/PART खाता/VERB है/AUX ; {} बड़ी/ADJ खिड़की/NOUN खोलता/VERB है/AUX""",
    """आज/ADV ; शहर/NOUN में/ADP ; घर/NOUN पर/ADP ; पेरिस/PROPN में/ADP ; हर/DET दिन/NOUN ;
    सुबह/NOUN ; एक/NUM छोटे/ADJ गाँव/NOUN में/ADP ; यहाँ/ADV""",
    """{} ।/PUNCT ; {} ,/PUNCT और/CCONJ वह/PRON अमीर/ADJ है/AUX ।/PUNCT ;
    {} ,/PUNCT जब/SCONJ बारिश/NOUN होती/VERB है/AUX ।/PUNCT""",
)
