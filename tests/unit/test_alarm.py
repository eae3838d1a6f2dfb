"""What wakes the threads of the sampler: none sleeps through what was meant for it."""

import threading
import time

from monitor.power.alarm import Alarm
from monitor.power.news import News
from tests.unit.conftest import Eventually


def test_an_alarm_wakes_who_waits_for_it() -> None:
    alarm, began_s = Alarm(), time.monotonic()
    threading.Timer(0.05, alarm.ring).start()
    assert alarm.wait(30.0)
    assert 0.04 <= time.monotonic() - began_s < 10.0


def test_an_alarm_that_nobody_rings_lets_sleep_until_the_time() -> None:
    alarm, began_s = Alarm(), time.monotonic()
    assert not alarm.wait(0.05)
    assert time.monotonic() - began_s >= 0.05


def test_an_alarm_rung_before_is_heard_once_however_often_it_rang() -> None:
    alarm = Alarm()
    ringing = [threading.Thread(target=alarm.ring) for _ in range(8)]
    for thread in ringing:
        thread.start()
    for thread in ringing:
        thread.join()
    assert alarm.wait(30.0)
    assert not alarm.wait(0.0)


def test_news_end_the_wait_for_what_they_tell(eventually: Eventually) -> None:
    news, told, seen = News(), [], []
    waiting = [
        threading.Thread(target=lambda: seen.append(news.wait_for(lambda: bool(told), 30.0)))
        for _ in range(3)
    ]
    for thread in waiting:
        thread.start()
    news.tell()  # of something else
    told.append("it")
    news.tell()
    eventually(lambda: seen == [True] * 3)
    assert news.wait_for(lambda: bool(told), 0.0)
    assert not news.wait_for(lambda: len(told) > 1, 0.01)


def test_no_news_are_missed_however_close_the_wait_begins_to_them() -> None:
    for _ in range(300):
        news, told = News(), threading.Event()

        def bring(news: News = news, told: threading.Event = told) -> None:
            told.set()
            news.tell()

        bringer = threading.Thread(target=bring)
        bringer.start()
        assert news.wait_for(told.is_set, 30.0)
        bringer.join()
