// Divide work between threads, which wait for more of it.
#pragma once

#include <stdint.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace neurorl {

// The threads that one thread has to help it. Another has others, so none waits for another's work.
class Helpers {
public:
    // Calls run(body, first, last, number) for n ranges of *total* items, the last ones itself.
    void divide(
        int64_t n, int64_t total, void (*run)(const void *, int64_t, int64_t, int64_t),
        const void *body)
    {
        std::unique_lock<std::mutex> lock(mutex);
        while (started < n - 1 && start()) {}
        task = {run, body, n, total};
        helping = left = started < n - 1 ? started : n - 1;
        const int64_t first = left;
        number++;
        lock.unlock();
        begun.notify_all();
        for (int64_t k = first; k < n; k++) task.range(k);
        look_for([this] { return left == 0; });
        lock.lock();
        done.wait(lock, [this] { return left == 0; });
    }

    // Lets all threads end.
    void stop()
    {
        std::lock_guard<std::mutex> lock(mutex);
        is_over = true;
        begun.notify_all();
    }

private:
    struct Task {
        void (*run)(const void *, int64_t, int64_t, int64_t);
        const void *body;
        int64_t n, total;
        void range(int64_t k) const { run(body, total * k / n, total * (k + 1) / n, k); }
    };

    std::mutex mutex;
    std::condition_variable begun, done;
    Task task = {nullptr, nullptr, 0, 0};
    int64_t helping = 0, started = 0;
    std::atomic<int64_t> left{0}, number{0};
    bool is_over = false;

    // Looks for some 50 us, as more work mostly comes at once and sleep costs more. It doesn't pause
    // meanwhile, for which a virtual machine may take the core away.
    template <class Condition> static void look_for(const Condition &condition)
    {
        for (int k = 0; k < 100000 && !condition();) k++;
    }

    // Returns false if the system gives no thread; the caller then does its work.
    bool start()
    {
        try {
            std::thread(&Helpers::help, this, started, number.load()).detach();
        } catch (const std::system_error &) {
            return false;
        }
        started++;
        return true;
    }

    void help(int64_t own, int64_t last)
    {
        while (true) {
            look_for([&] { return number != last; });
            std::unique_lock<std::mutex> lock(mutex);
            begun.wait(lock, [&] { return is_over || number != last; });
            if (is_over) return;
            last = number;
            if (own >= helping) continue;
            const Task mine = task;
            lock.unlock();
            mine.range(own);
            lock.lock();
            if (--left == 0) done.notify_one();
        }
    }
};

// The helpers of the calling thread, which end with it. They are never freed, as they may still be
// about to end, and a forked process has none of their threads.
struct Own {
    Helpers *helpers = nullptr;
    pid_t process = 0;

    Helpers &get()
    {
        if (process != getpid()) helpers = new Helpers;
        process = getpid();
        return *helpers;
    }
    ~Own()
    {
        if (helpers && process == getpid()) helpers->stop();
    }
};

// Calls body(first, last, number) for so many ranges of *total* items, each in a thread of its own.
template <class Body> void in_ranges(int64_t threads, int64_t total, const Body &body)
{
    const int64_t n = threads < total ? threads : total;
    if (n <= 1) return body(0, total, 0);
    static thread_local Own own;
    const auto run = [](const void *with, int64_t first, int64_t last, int64_t number) {
        (*(const Body *)with)(first, last, number);
    };
    own.get().divide(n, total, run, &body);
}

}  // namespace neurorl
