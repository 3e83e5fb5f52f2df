/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_texts.h"

#define DTMF "Signal=5\r\nDuration=160\r\n"
#define FAST_UPDATE                                                                                                              \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder>" \
	"</vc_primitive></media_control>\r\n"
#define ADVICE_OF_CHARGE                                                                                                            \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<aoc xmlns=\"http://uri.etsi.org/ngn/params/xml/simservs/aoc\"><aoc-d>\r\n"   \
	"<charging-info>subtotal</charging-info><recorded-charges><recorded-currency-units><currency-id>GBP</currency-id>"         \
	"<currency-amount>0.42</currency-amount></recorded-currency-units></recorded-charges>\r\n</aoc-d></aoc>\r\n"
#define CALL_INFO_JSON                                                                                                   \
	"{\"event\":\"hold\",\"since\":\"2026-03-09T10:41:07Z\",\"agent\":\"desk-{callee}\",\"queue\":\"sales\",\"skill\":[\"en\",\"fr\"]," \
	"\"wrap_up\":false,\"note\":\"called back after {session}\"}\r\n"

#define AUDIO_WIDE                                                                                                      \
	"m=audio 16384 RTP/AVP 9 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n" \
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
#define AUDIO_PLAIN "m=audio 21412 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
#define AUDIO_TWO                                                                                                                 \
	"m=audio 30044 RTP/AVP 8 0 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n"       \
	"a=maxptime:40\r\n"
#define AUDIO_OPUS                                                                                                               \
	"m=audio 9078 RTP/AVP 107 8 101\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\n"     \
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"

#define ALLOW_ALL   "Allow: INVITE, ACK, CANCEL, BYE, INFO, UPDATE, REFER"
#define ALLOW_TIGHT "Allow: INVITE,ACK,CANCEL,BYE,INFO,UPDATE"

const struct make makes_of_callers[] = {
	{ ";rport", "\"Ann Example\" ", "@10.78.1.101", "User-Agent: Deskphone/96.86.0.20", ALLOW_ALL, "Supported: replaces, timer, 100rel", "",
	  "Session-Expires: 1800", "application/dtmf-relay", DTMF, AUDIO_WIDE, "VRMFTICKUASEY", 5 },
	{ ";rport", "", "-4d3b-9c0e-{id8}", "User-Agent: PBX-16.0.40(18.20.2)", ALLOW_ALL, "Supported: 100rel, timer, replaces",
	  "P-Asserted-Identity: \"Sales\" <sip:+447700{caller}@pbx{from}.example.org>", "Session-Expires: 1800;refresher=uac\r\nMin-SE: 90",
	  "application/json", CALL_INFO_JSON, AUDIO_TWO, "VRFTKICASEPMUY", 5 },
	{ "", "", "_58714@10.78.1.103", "User-Agent: SBC/9.2.0 build 417", ALLOW_TIGHT, "Supported: timer,100rel,precondition",
	  "P-Asserted-Identity: <sip:+447700{caller}@pbx{from}.example.org;user=phone>\r\nPrivacy: none",
	  "Session-Expires: 1800\r\nMin-SE: 90", "application/vnd.etsi.aoc+xml", ADVICE_OF_CHARGE, AUDIO_PLAIN, "VFTICMAKPRSEY", 7 },
	{ ";rport;alias", "\"+447700{caller}\" ", "-8a3d-123c-5bae-{id8}", "User-Agent: Switch/1.10.11", ALLOW_ALL,
	  "Supported: timer, path, replaces", "Remote-Party-ID: <sip:+447700{caller}@pbx{from}.example.org>;party=calling;screen=yes",
	  "", "application/media_control+xml", FAST_UPDATE, AUDIO_OPUS, "VMRFTICKUASPY", 8 },
	{ ";rport", "\"Reception\" ", "{id8}", "User-Agent: Softphone 5.1.3 (Linux)", ALLOW_TIGHT, "Supported: replaces, outbound, gruu", "", "",
	  "application/dtmf-relay", DTMF, AUDIO_OPUS, "VRTFICMKAUSY", 6 },
	{ "", "", "@gateway.example.org", "User-Agent: Gateway-VG-12.4", ALLOW_ALL, "Supported: 100rel,timer,resource-priority",
	  "Remote-Party-ID: <sip:+447700{caller}@10.78.1.106>;party=calling;screen=yes\r\nTimestamp: 17{session}", "Min-SE: 1800",
	  "application/dtmf-relay", DTMF, AUDIO_PLAIN, "VPFTRISECKUMAY", 5 },
	{ ";rport", "\"Conference, Room {callee}\" ", "-{session}@10.78.1.107", "User-Agent: Room-Terminal/TC7.3.21", ALLOW_ALL,
	  "Supported: replaces,100rel,timer,outbound", "P-Asserted-Identity: \"Room\" <sip:+447700{caller}@pbx{from}.example.org>",
	  "Session-Expires: 500", "application/media_control+xml", FAST_UPDATE, AUDIO_WIDE, "VICFTRMKUASPEY", 5 },
	{ ";rport", "", "", "User-Agent: Trunk-Manager 23.1", ALLOW_TIGHT, "Supported: 100rel, timer",
	  "P-Asserted-Identity: <tel:+447700{caller}>\r\nDiversion: <tel:+442035550199>;reason=unconditional",
	  "Session-Expires: 3600;refresher=uas", "application/vnd.etsi.aoc+xml", ADVICE_OF_CHARGE, AUDIO_TWO, "VRMTFICKSAUPEY", 9 },
};

const struct make makes_of_targets[] = {
	{ ";rport", "", "", "Server: Softswitch 22.7.1", ALLOW_ALL, "Supported: timer, replaces", "P-Asserted-Identity: <sip:+44203555{callee}@sip.example.net>",
	  "Session-Expires: 1800;refresher=uac", "application/json", CALL_INFO_JSON, AUDIO_PLAIN, "VRMFTICKUASPEY", 5 },
	{ "", "\"Front Desk\" ", "", "Server: PBX-18.20.2", ALLOW_ALL, "Supported: 100rel, timer, replaces", "", "Session-Expires: 1800;refresher=uas",
	  "application/dtmf-relay", DTMF, AUDIO_TWO, "VFTICRMKASUEY", 6 },
	{ ";rport", "", "", "Server: Media-Server/4.4.0", ALLOW_TIGHT, "Supported: timer,path", "P-Charging-Function-Addresses: ccf=192.0.2.77;ecf=192.0.2.78",
	  "", "application/media_control+xml", FAST_UPDATE, AUDIO_WIDE, "VRICFTMKUASPY", 5 },
	{ "", "", "", "Server: SBC/9.2.0 build 417", ALLOW_TIGHT, "Supported: timer,100rel,precondition",
	  "P-Asserted-Identity: <sip:+44203555{callee}@sip.example.net;user=phone>\r\nPrivacy: none", "Session-Expires: 1800;refresher=uac\r\nMin-SE: 90",
	  "application/vnd.etsi.aoc+xml", ADVICE_OF_CHARGE, AUDIO_PLAIN, "VFTICMAKPRSEY", 7 },
	{ ";rport", "", "", "Server: IVR 3.0", ALLOW_ALL, "Supported: replaces, timer", "", "Session-Expires: 900;refresher=uac", "application/dtmf-relay", DTMF,
	  AUDIO_OPUS, "VMRTFICKSAUEY", 8 },
	{ ";rport", "\"Agent {callee}\" ", "", "Server: Contact-Centre/2026.2", ALLOW_ALL, "Supported: timer, replaces, histinfo",
	  "P-Asserted-Identity: \"Agent\" <sip:+44203555{callee}@sip.example.net>", "Session-Expires: 1800;refresher=uac", "application/json", CALL_INFO_JSON,
	  AUDIO_WIDE, "VRMFTICKUASPEY", 5 },
	{ "", "", "", "Server: Gateway-VG-12.4", ALLOW_ALL, "Supported: 100rel,timer,resource-priority",
	  "Remote-Party-ID: <sip:+44203555{callee}@10.78.2.107>;party=called;screen=no;privacy=off", "Require: timer\r\nSession-Expires: 1800;refresher=uac",
	  "application/dtmf-relay", DTMF, AUDIO_PLAIN, "VFTRICKUMASPEY", 5 },
	{ ";rport", "", "", "Server: Voicemail (on {at})", ALLOW_TIGHT, "Supported: replaces", "", "", "application/media_control+xml", FAST_UPDATE, AUDIO_TWO,
	  "VRMFTCIKAUSY", 9 },
};
