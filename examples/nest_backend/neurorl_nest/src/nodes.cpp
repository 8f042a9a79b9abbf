/* The neuron, the source and the synapse of neurorl as models of NEST.

   What they read and write lies in memory that the host shares, an array by quantity. */
#include "nest_extension_interface.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "connection.h"
#include "event.h"
#include "event_delivery_manager_impl.h"
#include "node.h"

#include "philox.h"

#ifdef HAVE_MPI
#include <mpi.h>
#endif

namespace {

/* A population of all replicas, or a source; arrays have a value a neuron. */
struct Part
{
    double *current, *voltage;
    int64_t *dead;
    uint8_t *spikes;  /* rows of all neurons: step s is row s % depth */
    const double *arrived;  /* what arrives in the step `taken` */
    const double *current_decay, *membrane_decay, *threshold, *bias, *noise_width;
    const int64_t *refractory;
    const int64_t *seeds, *steps;  /* of each replica */
    int64_t size, width, depth, stream;  /* width: neurons of a replica */
};

std::vector<Part> parts;
const double *table = nullptr;     /* of all weights */
const double *logistic = nullptr;  /* quantiles of the noise */
int64_t begins = 0;                /* NEST's step at which the window begins */
int64_t taken = -1;

enum Kind { NEURON, SOURCE, LATER, IDLE };
}

namespace nest {

class neurorl_node : public Node
{
public:
    neurorl_node() = default;
    neurorl_node(const neurorl_node &other)
        : Node(other), part_(other.part_), first_(other.first_), later_(other.later_),
          kind_(other.kind_)
    {
    }

    using Node::handle;
    using Node::handles_test_event;

    size_t send_test_event(Node &target, size_t receptor, synindex, bool) override
    {
        SpikeEvent event;
        event.set_sender(*this);
        return target.handles_test_event(event, receptor);
    }

    void handle(SpikeEvent &event) override
    {
        const Time origin = kernel().simulation_manager.get_slice_origin();
        arriving(event.get_rel_delivery_steps(origin))
            += event.get_weight() * event.get_multiplicity();
    }

    size_t handles_test_event(SpikeEvent &, size_t) override { return 0; }

    void get_status(Dictionary &status) const override
    {
        status["kind"] = kind_;
        status["part"] = part_;
        status["first"] = first_;
        status["later"] = later_;
    }

    void set_status(const Dictionary &status) override
    {
        status.update_value("kind", kind_);
        status.update_value("part", part_);
        status.update_value("first", first_);
        status.update_value("later", later_);
    }

private:
    void init_buffers_() override { arriving_.fill(0.0); }
    void pre_run_hook() override { number_ = static_cast<long>(get_node_id()) - first_; }

    void update(const Time &origin, const long from, const long to) override
    {
        if (kind_ == IDLE)
            return;
        Part &part = parts[part_];
        for (long lag = from; lag < to; lag++) {
            const int64_t step = origin.get_steps() + lag;
            /* later_: steps since the spike; neuron and later node are of one thread */
            uint8_t *row = part.spikes + (step - later_ + part.depth) % part.depth * part.size;
            uint8_t *spike = row + number_;
            if (kind_ == NEURON)
                *spike = spikes(part, step, lag);
            if (*spike) {
                SpikeEvent event;
                kernel().event_delivery_manager.send(*this, event, lag);
            }
        }
    }

    bool spikes(Part &p, const int64_t step, const long lag)
    {
        const long i = number_;
        double q = arriving(lag);
        arriving(lag) = 0.0;
        if (step == taken)
            q = p.arrived[i];
        p.current[i] = p.current_decay[i] * p.current[i] + q;
        double v = p.membrane_decay[i] * p.voltage[i] + p.current[i] + p.bias[i];
        if (p.dead[i] > 0)
            v = 0.0;
        double level = v;
        if (p.noise_width[i] > 0.0) {
            const int64_t replica = i / p.width, made = p.steps[replica] + step - begins;
            const uint32_t word = neurorl_word(i % p.width, made, p.stream, p.seeds[replica]);
            level = v + p.noise_width[i] * logistic[word >> 18];
        }
        const bool over = level > p.threshold[i] && p.dead[i] == 0;
        p.dead[i] -= p.dead[i] > 0;
        if (over)
            p.dead[i] = p.refractory[i], v = 0.0;
        p.voltage[i] = v;
        return over;
    }

    /* All delays are of one step, so there is what arrives now, and what arrives next. */
    double &arriving(const long steps)
    {
        return arriving_[kernel().event_delivery_manager.get_modulo(steps)];
    }

    std::array<double, 2> arriving_{};
    /* first_: id of the node of neuron 0, so that a node needs no parameter of its own */
    long part_ = 0, number_ = 0, first_ = 0, later_ = 0, kind_ = IDLE;
};

/* A synapse whose weight is a place in the host's table. */
template <typename target_t>
class neurorl_synapse : public Connection<target_t>
{
public:
    typedef CommonSynapseProperties CommonPropertiesType;
    typedef Connection<target_t> ConnectionBase;
    static constexpr ConnectionModelProperties properties = ConnectionModelProperties::HAS_DELAY
        | ConnectionModelProperties::IS_PRIMARY | ConnectionModelProperties::SUPPORTS_HPC
        | ConnectionModelProperties::SUPPORTS_LBL;

    neurorl_synapse() = default;
    neurorl_synapse(const neurorl_synapse &) = default;
    neurorl_synapse &operator=(const neurorl_synapse &) = default;
    using ConnectionBase::get_delay_steps;
    using ConnectionBase::get_rport;
    using ConnectionBase::get_target;

    class ConnTestDummyNode : public ConnTestDummyNodeBase
    {
    public:
        using ConnTestDummyNodeBase::handles_test_event;
        size_t handles_test_event(SpikeEvent &, size_t) override { return invalid_port; }
    };

    void check_connection(Node &from, Node &to, size_t receptor, const CommonPropertiesType &)
    {
        ConnTestDummyNode dummy;
        ConnectionBase::check_connection_(dummy, from, to, receptor);
    }

    bool send(Event &event, const size_t thread, const CommonSynapseProperties &)
    {
        event.set_weight(table[place_]);
        event.set_delay_steps(get_delay_steps());
        event.set_receiver(*get_target(thread));
        event.set_rport(get_rport());
        event();
        return true;
    }

    void get_status(Dictionary &status) const
    {
        ConnectionBase::get_status(status);
        status[names::weight] = static_cast<double>(place_);
    }

    void set_status(const Dictionary &status, ConnectorModel &model)
    {
        ConnectionBase::set_status(status, model);
        double place = place_;
        if (status.update_value(names::weight, place))
            set_weight(place);
    }

    void set_weight(double place) { place_ = static_cast<uint32_t>(place); }

private:
    uint32_t place_ = 0; /* fits where the base class has padding: 24 bytes in all */
};

template <typename target_t>
constexpr ConnectionModelProperties neurorl_synapse<target_t>::properties;
}

extern "C" {

void neurorl_register(const Part *given, int64_t n, const double *weights, const double *quantiles)
{
    parts.assign(given, given + n);
    table = weights;
    logistic = quantiles;
    nest::register_node_model<nest::neurorl_node>("neurorl_node", "");
    nest::register_connection_model<nest::neurorl_synapse>("neurorl_synapse");
}

/* Get n_bytes of each process, one after the other. */
void neurorl_gather(void *sent, int64_t n_bytes, void *got)
{
#ifdef HAVE_MPI
    const int n = static_cast<int>(n_bytes);
    MPI_Allgather(sent, n, MPI_BYTE, got, n, MPI_BYTE, MPI_COMM_WORLD);
#else
    std::memcpy(got, sent, static_cast<size_t>(n_bytes));
#endif
}

/* begin: NEST's step of the window's first. is_taken: whether `arrived` counts in it. */
void neurorl_window(int64_t begin, int64_t is_taken)
{
    begins = begin;
    taken = is_taken ? begin : -1;
}
}
