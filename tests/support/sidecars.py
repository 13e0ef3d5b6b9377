"""Sidecars as other programs write them, each in its own form of XMP; made up for these tests."""

from __future__ import annotations

from typing import Final

# Exiv2 on behalf of digiKam: simple properties as attributes, everything in one description, all four keyword lists.
DIGIKAM: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:MP="http://ns.microsoft.com/photo/1.2/"
   digiKam:PickLabel="0"
   digiKam:ColorLabel="4"
   xmp:Rating="5"
   MicrosoftPhoto:Rating="99">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>Places/Norway/Bod\u00f8</rdf:li>
     <rdf:li>People/Ann &amp; Bob</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
   <MicrosoftPhoto:LastKeywordXMP>
    <rdf:Bag>
     <rdf:li>Places/Norway/Bod\u00f8</rdf:li>
     <rdf:li>People/Ann &amp; Bob</rdf:li>
    </rdf:Bag>
   </MicrosoftPhoto:LastKeywordXMP>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>Places|Norway|Bod\u00f8</rdf:li>
     <rdf:li>People|Ann &amp; Bob</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Bod\u00f8</rdf:li>
     <rdf:li>Ann &amp; Bob</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <MP:RegionInfo rdf:parseType="Resource">
    <MP:Regions>
     <rdf:Bag>
      <rdf:li rdf:parseType="Resource">
       <MP:PersonDisplayName>Ann</MP:PersonDisplayName>
       <MP:Rectangle>0.1, 0.2, 0.3, 0.4</MP:Rectangle>
      </rdf:li>
     </rdf:Bag>
    </MP:Regions>
   </MP:RegionInfo>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

# Lightroom: no packet wrapper, Windows line ends in places, develop settings, nested keywords in others' structures.
LIGHTROOM: Final = """<x:xmpmeta xmlns:x="adobe:ns:meta/"
 x:xmptk="Adobe XMP Core 7.0-c000 1.000000, 0000/00/00-00:00:00        ">\r
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:ModifyDate="2024-05-01T12:00:00"
   xmp:Rating='3'
   crs:Version="16.0"
   crs:Temperature="5450"
   crs:HasSettings="True">
   <dc:subject>
    <rdf:Bag>
     <rdf:li>holiday</rdf:li>
     <rdf:li>dog</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>animals|dog</rdf:li>
     <rdf:li>holiday</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <!-- someone's note: <dc:subject> is not here -->
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">A dog &lt;on&gt; holiday</rdf:li></rdf:Alt></dc:title>
   <xmpMM:History>
    <rdf:Seq>
     <rdf:li stEvt:action="saved" stEvt:when="2024-05-01T12:00:00"/>
     <rdf:li rdf:parseType="Resource"><dc:subject><rdf:Bag><rdf:li>Cat</rdf:li></rdf:Bag></dc:subject></rdf:li>
    </rdf:Seq>
   </xmpMM:History>
   <crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li><rdf:li>255, 255</rdf:li></rdf:Seq></crs:ToneCurve>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

# Flat keywords alone, with prefixes and an order of attributes that nobody expects.
FLAT: Final = """<?xml version='1.0' encoding='UTF-8'?>
<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:d='http://purl.org/dc/elements/1.1/'>
<r:Description xmlns:p='http://ns.adobe.com/photoshop/1.0/' p:City="a > b" r:about='uuid:1'><d:subject><r:Seq>\
<r:li>beach</r:li></r:Seq></d:subject></r:Description></r:RDF>"""

# darktable: nothing of keywords yet.
EMPTY: Final = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>
</x:xmpmeta>
"""

ALL: Final = {"digikam": DIGIKAM, "lightroom": LIGHTROOM, "flat": FLAT, "empty": EMPTY}
