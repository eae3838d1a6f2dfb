"""The letters and names that people and services of live figures know a country by."""

import unicodedata

_CODES = """
    ABW:AW AFG:AF AGO:AO ALB:AL ARE:AE ARG:AR ARM:AM ASM:AS ATG:AG AUS:AU AUT:AT AZE:AZ BDI:BI
    BEL:BE BEN:BJ BFA:BF BGD:BD BGR:BG BHR:BH BHS:BS BIH:BA BLR:BY BLZ:BZ BOL:BO BRA:BR BRB:BB
    BRN:BN BTN:BT BWA:BW CAF:CF CAN:CA CHE:CH CHL:CL CHN:CN CIV:CI CMR:CM COD:CD COG:CG COK:CK
    COL:CO COM:KM CPV:CV CRI:CR CUB:CU CYM:KY CYP:CY CZE:CZ DEU:DE DJI:DJ DMA:DM DNK:DK DOM:DO
    DZA:DZ ECU:EC EGY:EG ERI:ER ESP:ES EST:EE ETH:ET FIN:FI FJI:FJ FLK:FK FRA:FR FRO:FO GAB:GA
    GBR:GB GEO:GE GHA:GH GIN:GN GLP:GP GMB:GM GNB:GW GNQ:GQ GRC:GR GRD:GD GRL:GL GTM:GT GUF:GF
    GUM:GU GUY:GY HKG:HK HND:HN HRV:HR HTI:HT HUN:HU IDN:ID IND:IN IRL:IE IRN:IR IRQ:IQ ISL:IS
    ISR:IL ITA:IT JAM:JM JOR:JO JPN:JP KAZ:KZ KEN:KE KGZ:KG KHM:KH KIR:KI KNA:KN KOR:KR KWT:KW
    LAO:LA LBN:LB LBR:LR LBY:LY LCA:LC LKA:LK LSO:LS LTU:LT LUX:LU LVA:LV MAC:MO MAR:MA MDA:MD
    MDG:MG MDV:MV MEX:MX MKD:MK MLI:ML MLT:MT MMR:MM MNE:ME MNG:MN MOZ:MZ MRT:MR MSR:MS MTQ:MQ
    MUS:MU MWI:MW MYS:MY NAM:NA NCL:NC NER:NE NGA:NG NIC:NI NLD:NL NOR:NO NPL:NP NRU:NR NZL:NZ
    OMN:OM PAK:PK PAN:PA PER:PE PHL:PH PNG:PG POL:PL PRI:PR PRK:KP PRT:PT PRY:PY PSE:PS PYF:PF
    QAT:QA REU:RE ROU:RO RUS:RU RWA:RW SAU:SA SDN:SD SEN:SN SGP:SG SLB:SB SLE:SL SLV:SV SOM:SO
    SPM:PM SRB:RS SSD:SS STP:ST SUR:SR SVK:SK SVN:SI SWE:SE SWZ:SZ SYC:SC SYR:SY TCA:TC TCD:TD
    TGO:TG THA:TH TJK:TJ TKM:TM TON:TO TTO:TT TUN:TN TUR:TR TWN:TW TZA:TZ UGA:UG UKR:UA URY:UY
    USA:US UZB:UZ VCT:VC VEN:VE VGB:VG VIR:VI VNM:VN VUT:VU WSM:WS YEM:YE ZAF:ZA ZMB:ZM ZWE:ZW
    XKX:XK
"""
"""ISO 3166-1 alpha-3 and alpha-2 of every country among the zones. Kosovo has no code of the
standard's; both are what is commonly used for it."""

_LETTERS = dict(pair.split(":") for pair in _CODES.split())


_ALIASES = {"UK": "GBR"}
"""What people write instead of the standard's two letters, which reserves it for that."""

_NAMES = {
    "ARE": ("UAE", "Emirates"),
    "BIH": ("Bosnia", "Bosnia and Herzegovina"),
    "BRN": ("Brunei",),
    "CIV": ("Ivory Coast",),
    "COD": ("DR Congo", "DRC", "Democratic Republic of the Congo"),
    "COG": ("Republic of the Congo",),
    "CPV": ("Cape Verde",),
    "CZE": ("Czech Republic",),
    "EU": ("European Union",),
    "FLK": ("Falkland Islands",),
    "GBR": ("Great Britain", "Britain", "England", "Scotland", "Wales", "Northern Ireland"),
    "HKG": ("Hong Kong",),
    "KOR": ("Republic of Korea",),
    "LAO": ("Laos",),
    "MAC": ("Macao", "Macau"),
    "MKD": ("Macedonia",),
    "MMR": ("Burma",),
    "NLD": ("The Netherlands", "Holland"),
    "PHL": ("Philippines",),
    "PRK": ("DPRK",),
    "PSE": ("Palestine",),
    "RUS": ("Russian Federation",),
    "SWZ": ("Swaziland",),
    "TUR": ("Turkey",),
    "TWN": ("Taiwan",),
    "TZA": ("Tanzania",),
    "USA": ("United States of America", "America"),
    "VNM": ("Vietnam",),
}
"""What a zone is called in English beside its name in the table; of the United Kingdom also its
parts, which have no figure of their own there."""

_COUNTRIES = {letters: code for code, letters in _LETTERS.items()} | _ALIASES


def two_letters(code: str) -> str | None:
    """Return a country's two letters by the code of its zone, ``None`` for what is no country."""
    return _LETTERS.get(code)


def letters_of(code: str) -> list[str]:
    """Return the two letters by which people know a zone; none of what is no country."""
    aliases = [letters for letters, of in _ALIASES.items() if of == code]
    return [*filter(None, [two_letters(code)]), *aliases]


def other_names(code: str) -> tuple[str, ...]:
    """Return what people call a zone beside its name in the table."""
    return _NAMES.get(code, ())


def folded(text: str) -> str:
    """Return a name as it is compared: whatever its case, its accents, and the blanks around."""
    apart = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def three_letters(letters: str) -> str | None:
    """Return the three letters of a country by its two, or by UK; ``None`` if there is none."""
    return _COUNTRIES.get(letters.upper())
