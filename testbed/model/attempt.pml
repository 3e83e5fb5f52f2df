/* SPDX-License-Identifier: Apache-2.0 */
/* The attempt machine of dataplane/proxy (attempt.c, response.c, request.c, upstream.c) and the INVITE machines of dataplane/transaction as
 * a Promela model: one INVITE, its response context, up to ENDPOINTS branches.
 *
 *     caller ---INVITE, CANCEL, ACK---> [ server transaction | context | attempt 0 .. n ] ---INVITE, CANCEL---> endpoint 0 .. n
 *                                                  ^ timers: any that is armed, at any moment
 *
 * A handler here has the name of the C function that it follows, and runs without interruption, as in a worker. What happens between two
 * handlers is left open: any endpoint may send anything, again and late, or fall silent; any armed timer may fire; the caller may give up.
 * Time is not modelled, but for what depends on orders of magnitude: a cancelled branch is not forgotten (64*T1) before its CANCEL was
 * repeated (T1), and one CANCEL in all is lost.
 *
 * Compile with -DENDPOINTS=2|3, -DPARALLEL=0|1, -DATTEMPTS=n (max_attempts), -DRETRY_AFTER_PROGRESS, -DFOLLOW_REDIRECTS,
 * -DDECLINE_TARGET,
 * and one MUTANT_... to see it fail. */

#ifndef ENDPOINTS
#define ENDPOINTS 2
#endif
#ifndef PARALLEL
#define PARALLEL 0
#endif
#ifndef ATTEMPTS
#define ATTEMPTS ENDPOINTS
#endif

/* The properties: pan prints the expression that was violated, and so their names. */
hidden byte one_final, nobody_rings_on, late_2xx_goes_up, real_answer_is_final, bounded_attempts, cancel_after_provisional,
	no_attempt_after_the_end, everything_ends, waits_for_the_cancelled;
#define CHECK(property, condition) assert(property || (condition))

mtype = { TRYING, PROCEEDING, COMPLETED, CONFIRMED, ACCEPTED, TERMINATED };	     /* transaction/machine.h */
mtype = { RESPONSE_TIMEOUT, RING_TIMEOUT, TRANSACTION_TIMEOUT, TRANSPORT, CODE }; /* enum failure */
mtype = { R3XX, R4XX, R487, R5XX, R6XX };

typedef attempt {
	mtype state;	/* TERMINATED: released, or not yet begun */
	bit begun, provisional, done, want_cancel, cancelled;
	bit clock, ring, cancel, lifetime;	/* armed timers */
	/* What the properties need to know of its other end. */
	bit answered;	/* a final response came */
	bit reached;	/* a CANCEL got there */
	bit repeated;	/* the CANCEL was sent again */
	bit expired;	/* timer B, or 64*T1 after its CANCEL */
	bit gone;	/* its host said that nobody listens */
};

attempt a[ENDPOINTS];
mtype server = PROCEEDING;
byte started;
bit budget = 1;		/* armed */
bit final_sent, cancelled, declined, exhausted, progress_sent, released;
bit failure_up;		/* a final but 2xx went to the caller */
bit success_up;
bit real_answer;	/* serial: a code that is never retried came from the attempt that the call waits for */
bit may_lose = 1;

#define PENDING(i) (a[i].begun && !a[i].done)
#if ENDPOINTS == 2
#define ANY(condition) (condition(0) || condition(1))
#else
#define ANY(condition) (condition(0) || condition(1) || condition(2))
#endif
#define LIVE(i) (a[i].state != TERMINATED)
#define ENDING(i) (a[i].cancelled && a[i].state == PROCEEDING) /* attempts_ending() */

/* ---- upstream.c */

inline upstream_finish()
{
	budget = 0;
	if
#ifdef MUTANT_FINISH_TWICE
	:: server != TERMINATED ->
#else
	:: !final_sent && server != TERMINATED ->
#endif
		CHECK(one_final, !failure_up && !success_up);
		CHECK(waits_for_the_cancelled, !((cancelled || declined) && ANY(ENDING)));
		failure_up = 1;
		final_sent = 1;
		server = COMPLETED
	:: else
	fi
}

inline upstream_progress()
{
	if
	:: server == PROCEEDING -> progress_sent = 1
	:: else
	fi
}

inline upstream_success()
{
	final_sent = 1;
	success_up = 1;
	if
	:: server == PROCEEDING -> server = ACCEPTED
	:: else
	fi
}

/* ---- linger.c */

inline context_release_if_idle() /* of context_less() */
{
	if
	:: (server == TERMINATED || server == COMPLETED || server == CONFIRMED) && !ANY(LIVE) -> released = 1
	:: else
	fi
}

/* ---- attempt.c */

inline attempt_settle(i)
{
	a[i].done = 1;
	a[i].clock = 0;
	a[i].ring = 0
}

/* Who rang has answered, or a CANCEL has reached it, or there is nobody there any more; and a slot is kept for as long as an answer may
 * come. */
inline attempt_release(i)
{
	CHECK(nobody_rings_on, !a[i].provisional || a[i].answered || a[i].reached || a[i].gone);
	CHECK(late_2xx_goes_up, a[i].answered || a[i].expired || a[i].gone);
	attempt_settle(i);
	a[i].state = TERMINATED;
	a[i].cancel = 0;
	a[i].lifetime = 0;
	/* Forgotten, so that states are equal which differ in nothing else. */
	a[i].provisional = 0;
	a[i].want_cancel = 0;
	a[i].cancelled = 0;
	a[i].answered = 0;
	a[i].reached = 0;
	a[i].repeated = 0;
	a[i].expired = 0;
	a[i].gone = 0;
	context_release_if_idle()
}

inline downstream_cancel(i)
{
	CHECK(cancel_after_provisional, a[i].provisional);
	if
	:: may_lose -> may_lose = 0
	:: a[i].reached = 1
	fi
}

inline attempt_abandon(i)
{
	attempt_settle(i);
	if
	:: (a[i].state == TRYING || a[i].state == PROCEEDING) && !a[i].cancelled ->
		a[i].want_cancel = 1;
		if
#ifndef MUTANT_CANCEL_AT_ONCE
		:: !a[i].provisional
#ifdef MUTANT_FORGET_SILENT_BRANCH
			-> attempt_release(i)
#endif
#endif
		:: else ->
#ifndef MUTANT_NO_CANCEL
			a[i].cancelled = 1;
			downstream_cancel(i);
#ifndef MUTANT_CANCEL_ONLY_ONCE
			a[i].cancel = 1;
#endif
#endif
#ifndef MUTANT_CANCELLED_LIVES_ON
			a[i].lifetime = 1
#endif
		fi
	:: else
	fi
}

inline attempts_abandon(except)
{
	for (k : 0 .. ENDPOINTS - 1) {
		if
		:: k != except && a[k].begun && (!a[k].done || (a[k].want_cancel && !a[k].cancelled)) -> attempt_abandon(k)
		:: else
		fi
	}
	k = 0
}

inline attempt_begin(i)
{
	started++;
	CHECK(bounded_attempts, started <= ATTEMPTS);
	CHECK(real_answer_is_final, !real_answer);
	CHECK(no_attempt_after_the_end, !cancelled && !final_sent);
	a[i].begun = 1;
	a[i].state = TRYING;
	a[i].clock = 1;
	a[i].ring = 1;
	a[i].lifetime = 1
}

/* Endpoints are taken in order; which order makes no difference here. */
inline attempts_start()
{
	begun = 0;
	do
#ifdef MUTANT_CANCELLED_IS_RETRIED
	:: !exhausted && started < ATTEMPTS && (PARALLEL || !begun) ->
#elif defined(MUTANT_NO_BOUND)
	:: !exhausted && !cancelled && started < ENDPOINTS && (PARALLEL || !begun) ->
#else
	:: !exhausted && !cancelled && started < ATTEMPTS && (PARALLEL || !begun) ->
#endif
		n = started;
		attempt_begin(n);
		begun = 1
	:: else -> break
	od;
	if
	:: !begun -> upstream_finish()
	:: else
	fi;
	begun = 0;
	n = 0
}

#ifdef RETRY_AFTER_PROGRESS
#define HEARD(why) false
#else
#define HEARD(why) (why == CODE && progress_sent)
#endif

#ifdef MUTANT_CANCELLED_IS_RETRIED
#define MAY_GO_ON true
#else
#define MAY_GO_ON !cancelled
#endif

inline attempt_failed(i, why)
{
	attempt_abandon(i);
	if
	:: ANY(PENDING) || final_sent
	:: else ->
		if
		:: !PARALLEL && server == PROCEEDING && MAY_GO_ON && !exhausted && !HEARD(why) -> attempts_start()
		:: else -> upstream_finish()
		fi
	fi
}

/* ---- response.c */

inline provisional_in(i, ringing)
{
	a[i].provisional = 1;
	if
	:: a[i].want_cancel ->
#ifndef MUTANT_SILENT_BRANCH_RINGS
		attempt_abandon(i)
#else
		skip
#endif
	:: !a[i].want_cancel && !a[i].done ->
		if
		:: ringing ->
			a[i].clock = 0;
			budget = 0;
			if
			:: !final_sent -> upstream_progress()
			:: else
			fi
		:: else /* 100: the progress timeout takes the response timeout's place */
		fi
	:: else
	fi
}

inline success_in(i)
{
	late = a[i].done;
	attempt_settle(i);
	a[i].cancel = 0;
	budget = 0;
	success_missed = 1;
#ifdef MUTANT_LATE_2XX_DROPPED
	if
	:: !late -> upstream_success(); success_missed = 0
	:: else
	fi;
#else
	upstream_success();
	success_missed = 0;
#endif
	CHECK(late_2xx_goes_up, !success_missed);
	success_missed = 0;
	late = 0;
#ifndef MUTANT_LOSERS_RING_ON
	attempts_abandon(i)
#endif
}

inline ended()
{
	if
#ifdef MUTANT_FINISH_TWICE
	:: cancelled || declined -> upstream_finish()
#elif defined(MUTANT_FIRST_END_ENDS)
	:: (cancelled || declined) && !final_sent -> upstream_finish()
#elif defined(MUTANT_CANCELLED_IS_RETRIED)
	:: (cancelled || declined) && !final_sent && !ANY(PENDING) && !ANY(ENDING) -> attempts_start()
#else
	:: (cancelled || declined) && !final_sent && !ANY(PENDING) && !ANY(ENDING) -> upstream_finish()
#endif
	:: else
	fi
}

inline failure_in(i, code)
{
	a[i].cancel = 0;
	if
	:: a[i].done -> ended()
	:: !a[i].done && code == R5XX ->
		attempt_failed(i, CODE)
#ifdef FOLLOW_REDIRECTS
	:: !a[i].done && code == R3XX && !PARALLEL && !cancelled && !final_sent -> /* redirected(), to an endpoint of ours */
		attempt_settle(i);
		attempts_start()
#endif
	:: else ->
		attempt_settle(i);
		if
		:: !PARALLEL ->
			real_answer = 1;
#ifdef MUTANT_BUSY_IS_RETRIED
			attempts_start()
#else
			upstream_finish()
#endif
		:: else ->
			if
#ifdef MUTANT_FIRST_FAILURE_ENDS
			:: true -> upstream_finish()
#else
			:: code == R6XX ->
#ifndef DECLINE_TARGET
				exhausted = 1;
				declined = 1;
				budget = 0;
				attempts_abandon(i)
#endif
			:: else
#endif
			fi;
			if
			:: !ANY(PENDING) && !(declined && ANY(ENDING)) -> upstream_finish()
			:: else
			fi
		fi
	fi
}

inline transaction_over(i, why)
{
	if
	:: !a[i].done -> attempt_failed(i, why)
#ifndef MUTANT_CANCEL_UNANSWERED
	:: a[i].done -> ended()
#else
	:: else
#endif
	fi
}

/* client_event and the tables of invite_client.c. */
inline rx_1xx(i, ringing)
{
	if
	:: a[i].state == TRYING -> a[i].state = PROCEEDING; a[i].lifetime = 0; provisional_in(i, ringing)
	:: a[i].state == PROCEEDING -> provisional_in(i, ringing)
	:: else
	fi
}

inline rx_2xx(i)
{
	if
	:: a[i].state == TRYING || a[i].state == PROCEEDING ->
		a[i].answered = 1;
		a[i].state = ACCEPTED;
		a[i].lifetime = 1;
		success_in(i)
	:: a[i].state == ACCEPTED -> success_in(i)
	:: else
	fi
}

inline rx_final(i, code)
{
	if
	:: a[i].state == TRYING || a[i].state == PROCEEDING ->
		a[i].answered = 1;
		a[i].state = COMPLETED;
		a[i].lifetime = 1;
		failure_in(i, code);
		if
		:: attempt_release(i) /* attempt_linger(): what is left of it acknowledges, and has no context */
		:: skip /* by a stream, or where there is no memory */
		fi
	:: else
	fi
}

inline transport_error(i)
{
	if
	:: a[i].state == TRYING || a[i].state == PROCEEDING || a[i].state == COMPLETED ->
		/* The transaction has terminated before its user hears of it, so that nothing is cancelled. */
		a[i].gone = 1;
		a[i].state = TERMINATED;
		transaction_over(i, TRANSPORT);
		attempt_release(i)
	:: else
	fi
}

/* ---- request.c */

inline context_cancel()
{
	if
	:: !final_sent && !cancelled ->
		cancelled = 1;
#ifndef MUTANT_BUDGET_RUNS_ON
		budget = 0;
#endif
		attempts_abandon(ENDPOINTS);
		if
		:: !ANY(ENDING) -> upstream_finish()
		:: else
		fi
	:: else
	fi
}

/* ---- timers */

inline lifetime_fired(i)
{
	a[i].lifetime = 0;
	if
	:: a[i].state == TRYING || a[i].state == PROCEEDING ->
		a[i].expired = 1;
		a[i].state = TERMINATED;
		transaction_over(i, TRANSACTION_TIMEOUT);
		attempt_release(i)
	:: else -> attempt_release(i)
	fi
}

inline budget_fired()
{
	budget = 0;
	exhausted = 1;
	if
	:: !ANY(PENDING) -> upstream_finish()
	:: else ->
		for (j : 0 .. ENDPOINTS - 1) {
			if
			:: PENDING(j) -> attempt_failed(j, RESPONSE_TIMEOUT)
			:: else
			fi
		}
		j = 0
	fi
}

/* ---- what must hold between any two handlers */

/* Once the caller has been told its end, whoever rings has been told as well. */
#define RINGS_ON(i) (a[i].state == PROCEEDING && !a[i].cancelled)
/* Timers alone carry everything to its end, whoever falls silent: where none is armed, all is released. */
#define CANCEL_DUE(i) (a[i].cancel && !a[i].repeated)
#define LIFETIME_DUE(i) (a[i].lifetime && !CANCEL_DUE(i))
#define DUE(i) (a[i].clock || a[i].ring || CANCEL_DUE(i) || LIFETIME_DUE(i))
#define LINGERS (server == COMPLETED || server == CONFIRMED || server == ACCEPTED)

#define HANDLED                                                       \
	CHECK(nobody_rings_on, !(final_sent && ANY(RINGS_ON)));       \
	CHECK(everything_ends, released || budget || LINGERS || ANY(DUE)); \
	CHECK(one_final, !released || failure_up || success_up)

/* One at a time: the scratch of the handlers, zero between them. */
byte k, j, n;
bit begun, late, success_missed;

/* ---- the world */

proctype endpoint(byte i)
{
end:
	do
	:: atomic { LIVE(i) -> rx_1xx(i, 0); HANDLED }
	:: atomic { LIVE(i) -> rx_1xx(i, 1); HANDLED }
	:: atomic { LIVE(i) && (!a[i].answered || a[i].state == ACCEPTED) -> rx_2xx(i); HANDLED } /* again, until an ACK comes */
	:: atomic { LIVE(i) && !a[i].answered -> rx_final(i, R3XX); HANDLED }
	:: atomic { LIVE(i) && !a[i].answered -> rx_final(i, R4XX); HANDLED }
	:: atomic { LIVE(i) && !a[i].answered -> rx_final(i, R5XX); HANDLED }
	:: atomic { LIVE(i) && !a[i].answered -> rx_final(i, R6XX); HANDLED }
	:: atomic { LIVE(i) && !a[i].answered && a[i].reached -> rx_final(i, R487); HANDLED }
	:: atomic { a[i].reached && a[i].cancel -> a[i].cancel = 0; HANDLED } /* 200 to the CANCEL; the 487 may come or not */
	:: atomic { LIVE(i) && !a[i].answered -> transport_error(i); HANDLED }
	od
}

proctype attempt_timers(byte i)
{
end:
	do
	:: atomic { a[i].clock -> a[i].clock = 0; attempt_failed(i, RESPONSE_TIMEOUT); HANDLED } /* or progress timeout */
	:: atomic { a[i].ring -> a[i].ring = 0; attempt_failed(i, RING_TIMEOUT); HANDLED }
	:: atomic { CANCEL_DUE(i) -> a[i].repeated = 1; downstream_cancel(i); HANDLED }
	:: atomic { LIFETIME_DUE(i) -> lifetime_fired(i); HANDLED }
	/* The operator takes the endpoint down, or another call has learnt that it is gone. */
	:: atomic { PENDING(i) -> attempt_failed(i, TRANSPORT); HANDLED }
	od
}

proctype context_timers()
{
end:
	do
	:: atomic { budget -> budget_fired(); HANDLED }
	:: atomic { LINGERS -> server = TERMINATED; context_release_if_idle(); HANDLED } /* H, I, L */
	od
}

proctype caller()
{
end:
	do
	:: atomic { server != TERMINATED -> context_cancel(); HANDLED } /* its retransmissions too */
	:: atomic { server == COMPLETED -> server = CONFIRMED; HANDLED } /* ACK */
	:: atomic { server == COMPLETED -> server = TERMINATED; context_release_if_idle(); HANDLED } /* server_linger() */
	od
}

init {
	atomic {
		for (k : 0 .. ENDPOINTS - 1) {
			a[k].state = TERMINATED;
			run endpoint(k);
			run attempt_timers(k)
		}
		k = 0;
		attempts_start();
		run context_timers();
		run caller()
	}
}
