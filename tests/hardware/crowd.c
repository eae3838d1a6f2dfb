/* A program of many threads: `crowd THREADS PAUSE_US` prints how many it could begin, then lets
 * them go: each works for a moment, pauses, and so on until the input closes. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static useconds_t pause_us;

static void *work(void *nothing)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    for (;;) {
        for (volatile int n = 0; n < 5000; n++)
            ;
        usleep(pause_us);
    }
    return nothing;
}

int main(int argc, char **argv)
{
    int begun = 0, wanted = argc > 2 ? atoi(argv[1]) : 0;
    pthread_attr_t small;

    pause_us = argc > 2 ? (useconds_t)atoi(argv[2]) : 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    pthread_mutex_lock(&gate);
    for (; begun < wanted; begun++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, work, NULL))
            break;
    }
    printf("%d\n", begun);
    fflush(stdout);
    pthread_mutex_unlock(&gate);
    while (getchar() != EOF)
        ;
    _exit(0);
}
