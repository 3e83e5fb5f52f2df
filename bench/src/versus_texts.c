/* SPDX-License-Identifier: Apache-2.0 */
#include "versus_texts.h"

#define SDP_HEAD(name, session) \
	"v=0\r\no=" name " " session " 1 IN IP4 {me}\r\ns=-\r\nc=IN IP4 {me}\r\nt=0 0\r\n"

const char *const versus_texts[] = {
	/* a desk phone */
	"INVITE sip:+442035{callee}@{us}:5060 SIP/2.0\r\n"
	"Via: SIP/2.0/{by} {me}:5060;branch=z9hG4bK{branch};rport\r\n"
	"From: \"Ann Example\" <sip:+441614{caller}@{us}:5060>;tag={tag}\r\n"
	"To: <sip:+442035{callee}@{us}:5060>\r\n"
	"Call-ID: 0_{id}@{me}\r\n"
	"CSeq: {cseq} INVITE\r\n"
	"Contact: <sip:+441614{caller}@{me}:5060>\r\n"
	"Content-Type: application/sdp\r\n"
	"Allow: INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REGISTER, SUBSCRIBE, REFER, PUBLISH, UPDATE, MESSAGE\r\n"
	"Max-Forwards: 70\r\n"
	"User-Agent: Deskphone T46 96.86.0.20\r\n"
	"Supported: replaces\r\n"
	"Content-Length: {length}\r\n\r\n"
	SDP_HEAD("-", "20{session}")
	"m=audio 11780 RTP/AVP 9 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n"
	"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n",

	/* a PBX */
	"INVITE sip:+442035{callee}@{us} SIP/2.0\r\n"
	"Via: SIP/2.0/{by} {me}:5060;rport;branch=z9hG4bKPj{branch}\r\n"
	"From: <sip:+441614{caller}@{me}>;tag={tag}\r\n"
	"To: <sip:+442035{callee}@{us}>\r\n"
	"Contact: <sip:asterisk@{me}:5060>\r\n"
	"Call-ID: {id}-4d3b-9c0e\r\n"
	"CSeq: {cseq} INVITE\r\n"
	"Allow: OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, MESSAGE, REFER\r\n"
	"Supported: 100rel, timer, replaces, norefersub, histinfo\r\n"
	"P-Asserted-Identity: \"Sales\" <sip:+441614{caller}@{me}>\r\n"
	"Max-Forwards: 70\r\n"
	"User-Agent: FPBX-16.0.40(18.20.2)\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: {length}\r\n\r\n"
	SDP_HEAD("-", "1{session} 1{session}")
	"m=audio 13284 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
	"a=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n",

	/* a carrier's session border controller */
	"INVITE sip:+442035{callee}@{us}:5060;user=phone SIP/2.0\r\n"
	"Via: SIP/2.0/{by} {me}:5060;branch=z9hG4bK0cBf{branch}\r\n"
	"From: <sip:+441614{caller}@{me};user=phone>;tag=gK0c{tag}\r\n"
	"To: <sip:+442035{callee}@{us};user=phone>\r\n"
	"Call-ID: 1_{id}_58714@{me}\r\n"
	"CSeq: {cseq} INVITE\r\n"
	"Max-Forwards: 70\r\n"
	"Allow: INVITE,ACK,CANCEL,BYE,REGISTER,REFER,INFO,SUBSCRIBE,NOTIFY,PRACK,UPDATE,OPTIONS,MESSAGE,PUBLISH\r\n"
	"Contact: <sip:+441614{caller}@{me}:5060>\r\n"
	"P-Asserted-Identity: <sip:+441614{caller}@{me};user=phone>\r\n"
	"Privacy: none\r\n"
	"Supported: timer,100rel,precondition\r\n"
	"Session-Expires: 1800\r\n"
	"Min-SE: 90\r\n"
	"Content-Length: {length}\r\n"
	"Content-Type: application/sdp\r\n\r\n"
	SDP_HEAD("SBC_UAC", "5{session}")
	"m=audio 10226 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\na=ptime:20\r\n",

	/* a soft switch */
	"INVITE sip:+442035{callee}@{us} SIP/2.0\r\n"
	"Via: SIP/2.0/{by} {me};rport;branch=z9hG4bK{branch}\r\n"
	"Max-Forwards: 70\r\n"
	"From: \"+441614{caller}\" <sip:+441614{caller}@{me}>;tag={tag}\r\n"
	"To: <sip:+442035{callee}@{us}>\r\n"
	"Call-ID: {id}-8a3d-123c-5bae-0242ac110002\r\n"
	"CSeq: 1268{cseq} INVITE\r\n"
	"Contact: <sip:mod_sofia@{me}:5060>\r\n"
	"User-Agent: FreeSWITCH-mod_sofia/1.10.11\r\n"
	"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY\r\n"
	"Supported: timer, path, replaces\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: {length}\r\n"
	"X-FS-Support: update_display,send_info\r\n"
	"Remote-Party-ID: \"+441614{caller}\" <sip:+441614{caller}@{me}>;party=calling;screen=yes;privacy=off\r\n\r\n"
	SDP_HEAD("FreeSWITCH", "1{session}")
	"m=audio 27514 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
	"a=ptime:20\r\n",

	/* a gateway that says little */
	"INVITE sip:+442035{callee}@{us}:5060 SIP/2.0\r\n"
	"Via: SIP/2.0/{by} {me}:5060;branch=z9hG4bK{branch}\r\n"
	"From: <sip:+441614{caller}@{me}>;tag={tag}\r\n"
	"To: <sip:+442035{callee}@{us}>\r\n"
	"Date: Mon, 12 Jan 2026 09:30:00 GMT\r\n"
	"Call-ID: {id}-EE1D8024@{me}\r\n"
	"Supported: 100rel,timer,resource-priority,replaces\r\n"
	"User-Agent: Gateway/SIP 17.6\r\n"
	"Allow: INVITE, OPTIONS, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY, INFO, REGISTER\r\n"
	"CSeq: {cseq} INVITE\r\n"
	"Timestamp: 1{session}\r\n"
	"Contact: <sip:+441614{caller}@{me}:5060>\r\n"
	"Max-Forwards: 70\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: {length}\r\n\r\n"
	SDP_HEAD("GatewaySIP", "6{session}")
	"m=audio 16404 RTP/AVP 18 8\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n",

	/* an application server */
	"INVITE sip:+442035{callee}@{us};user=phone SIP/2.0\r\n"
	"Via:SIP/2.0/{by} {me};branch=z9hG4bKBroadWorks.{branch}\r\n"
	"From:\"Example Ltd\"<sip:+441614{caller}@{me};user=phone>;tag={tag}-\r\n"
	"To:<sip:+442035{callee}@{us};user=phone>\r\n"
	"Call-ID:BW{id}@{me}\r\n"
	"CSeq:8{cseq} INVITE\r\n"
	"Contact:<sip:{me}:5060>\r\n"
	"P-Asserted-Identity:\"Example Ltd\"<sip:+441614{caller}@{me};user=phone>\r\n"
	"Privacy:none\r\n"
	"Allow:ACK,BYE,CANCEL,INFO,INVITE,OPTIONS,PRACK,REFER,NOTIFY,UPDATE\r\n"
	"Supported:\r\n"
	"Max-Forwards:70\r\n"
	"Content-Type:application/sdp\r\n"
	"Content-Length:{length}\r\n\r\n"
	SDP_HEAD("BroadWorks", "3{session}")
	"m=audio 20472 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
	"a=fmtp:101 0-15\r\n",
};
const unsigned versus_text_count = sizeof(versus_texts) / sizeof(versus_texts[0]);

const char *const versus_answers[] = {
	"Contact: <sip:{it}:5060>\r\n"
	"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REFER, NOTIFY\r\n"
	"Supported: timer, path, replaces\r\n"
	"User-Agent: FreeSWITCH-mod_sofia/1.10.11\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Disposition: session\r\n"
	"Content-Length: {length}\r\n\r\n"
	"v=0\r\no=FreeSWITCH 1768210134 1768210135 IN IP4 {it}\r\ns=FreeSWITCH\r\nc=IN IP4 {it}\r\nt=0 0\r\nm=audio 29842 RTP/AVP 8 101\r\n"
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n",

	"Server: FPBX-16.0.40(18.20.2)\r\n"
	"Allow: OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, MESSAGE, REFER\r\n"
	"Contact: <sip:{it}:5060>\r\n"
	"Supported: 100rel, timer, replaces, norefersub\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: {length}\r\n\r\n"
	"v=0\r\no=- 1768210134 1768210136 IN IP4 {it}\r\ns=Asterisk\r\nc=IN IP4 {it}\r\nt=0 0\r\nm=audio 18034 RTP/AVP 8 101\r\n"
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n",

	"Contact: <sip:+442035550100@{it}:5060>\r\n"
	"Content-Type: application/sdp\r\n"
	"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, UPDATE\r\n"
	"Server: Deskphone T46 96.86.0.20\r\n"
	"Content-Length: {length}\r\n\r\n"
	"v=0\r\no=- 20000 20000 IN IP4 {it}\r\ns=SDP data\r\nc=IN IP4 {it}\r\nt=0 0\r\nm=audio 12066 RTP/AVP 8 101\r\n"
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
};
const unsigned versus_answer_count = sizeof(versus_answers) / sizeof(versus_answers[0]);
