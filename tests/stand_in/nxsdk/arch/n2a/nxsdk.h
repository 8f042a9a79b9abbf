/* What nengo-loihi's embedded code uses, for one chip, in ordinary memory. */
#ifndef STAND_IN
#define STAND_IN
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PACKET 64
#define MOST_SPIKES 65536

typedef struct { int time_step, total_steps; int32_t userData[65536]; } runState;
typedef struct { int id; } CoreId;
typedef struct { int32_t U, V; } CxState;
typedef struct {
    int32_t Yspike0, Yspike1, Yspike2, Yepoch0, Yepoch1, Yepoch2, Tspike, TraceProfile, StdpProfile;
} PostTraceEntry;
typedef struct { CxState cx_state[1024]; PostTraceEntry stdp_post_state[1024]; } NeuronCore;

static NeuronCore neuron_cores[128];
static const int32_t *incoming;
static int32_t *outgoing;
static int32_t sent[2 * MOST_SPIKES];
static int n_sent;
#define NEURON_PTR(core) (&neuron_cores[(core).id])

static int getChannelID(const char *name) { return strstr(name, "h2c") ? 0 : 1; }
static void readChannel(int id, int32_t *to, int packets) {
    memcpy(to, incoming, 4 * PACKET * packets);
    incoming += PACKET * packets;
}
static void writeChannel(int id, const int32_t *from, int packets) {
    memcpy(outgoing, from, 4 * PACKET * packets);
    outgoing += PACKET * packets;
}
static void nx_send_discrete_spike(int time, CoreId core, int axon) {
    sent[2 * n_sent] = core.id;
    sent[2 * n_sent++ + 1] = axon;
}
#define nx_send_pop16_spike(...)
#define nx_send_pop32_spike(...)
#endif
