"""The words that starter prompts are made of: common lower-case English, three to six letters."""

from __future__ import annotations

_WORDS_BY_LENGTH = """
ant arm bag bed bee box boy bus cap car cat cow cup day dog ear egg eye fan fig fox fun gum hat hen ice ink
jam jar key kid lab leg lid lip log man map mud net nut oak oil owl pan pea pen pie pig pin pot rat red row
rug sea sky sun tap tea toe top toy van web win zoo

arch baby back ball band bank barn bath bean bear bell belt bird boat bone book boot bowl bush cake calf
camp card cave city clay coal coat coin cook corn crab crow cube dawn deer desk dish door dove drum duck
dust face farm fish flag foam fork frog game gate gift girl goat gold hair hand harp hill home hook horn
king kite lake lamb lamp leaf lime lion mask milk mint moon moth nail nest nose note pear plum pond pool
rain ring road rock roof room rope rose sail salt sand seed ship shoe silk snow soap sock song star swan
tail tent tree vase wall wave wind wing wolf wood

actor apple beach berry bread brick brush cabin camel candy chair chalk cheek chess chest child clock cloud
coach coast crane cream crown dance dress eagle earth fence field flame floor flour fruit ghost glass globe
glove grape grass green guard heart honey horse hotel house jewel juice knife lemon light maple medal melon
metal mouse mouth music night novel ocean olive onion paint paper party peach pearl piano pilot plane plant
plate queen radio river robin robot salad scarf sheep shell shirt shore skirt smile snake spoon stone storm
story sugar table tiger torch train truck uncle voice wagon watch whale wheat wheel zebra

basket bottle branch bridge bucket butter button camera candle carpet carrot castle cheese cherry circle
coffee cookie corner cotton desert dinner doctor dragon drawer engine family farmer finger flower forest
garden ginger guitar hammer harbor helmet insect island jacket jungle kettle ladder letter market meadow
mirror monkey mother needle orange palace pencil pepper pigeon pillow planet pocket potato puzzle rabbit
ribbon rocket saddle salmon school shadow silver spider spring squash stable statue summer temple ticket
tomato tunnel turtle valley violin walnut window winter
"""

WORDS: tuple[str, ...] = tuple(_WORDS_BY_LENGTH.split())
SHORT_WORDS: tuple[str, ...] = tuple(word for word in WORDS if len(word) <= 4)
