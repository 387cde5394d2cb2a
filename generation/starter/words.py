"""The words that starter prompts are made of: common lower-case English, three to six letters."""

from __future__ import annotations

_WORDS_BY_LENGTH = """
ant bag bed bee box boy bus cap car cat cow cup day dog ear egg eye fox fun hat ice ink jam jar key leg lip
log map net nut oil owl pen pie pig pot red sea sky sun tea toe toy van web win

baby ball bank bear bell bird bone book bowl card city coal coin deer desk dish door drum duck fish fork
frog game girl goat gold home king kite lake lamb lamp leaf lion milk moon nest nose pear rain ring road
rock room rose sand ship shoe snow song star swan tree wind wolf wood

apple beach bread brick chair child cloud dance earth floor fruit glass globe grape grass green heart honey
horse hotel house knife light mouse mouth music night ocean olive paint paper party peach piano plant queen
river sheep shirt smile snake stone story sugar table tiger train truck voice watch wheel zebra

bottle bridge butter castle cheese coffee dinner doctor dragon family finger flower forest garden guitar
island letter market monkey mother orange pencil planet potato rabbit school silver spring summer window
winter
"""

WORDS: tuple[str, ...] = tuple(_WORDS_BY_LENGTH.split())
SHORT_WORDS: tuple[str, ...] = tuple(word for word in WORDS if len(word) <= 4)
