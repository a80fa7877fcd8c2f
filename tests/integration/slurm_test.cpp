// A sweep through Slurm: slurmctld and slurmd of Debian's slurm-wlm on this machine.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "core/records/claim.hpp"
#include "tests/integration/sweep_runs.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

/// What of a cluster is missing here; empty: nothing.
std::string missing_of_slurm() {
  if (::geteuid() != 0) return "slurmd wants to be root";
  for (const char* program : {"/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd",
                              "/usr/bin/sbatch", "/usr/bin/squeue"})
    if (!fs::exists(program))
      return fmt::format("{} is missing (apt-get install slurm-wlm munge)", program);
  return "";
}

/// A cluster of one node.
class Cluster {
 public:
  explicit Cluster(const fs::path& folder) : folder_(folder) {
    fs::create_directories(folder / "state");
    fs::create_directories(folder / "spool");
    // munged wants a socket that all can reach, in a folder that only it can change.
    fs::permissions(folder, fs::perms(0755));
    const std::string socket = folder / "munge.socket";
    write("munge.key", std::string(64, 'k'));
    fs::permissions(folder / "munge.key", fs::perms(0600));
    start({"/usr/sbin/munged", "--foreground", "--force", "--key-file", folder / "munge.key",
           "--socket", socket, "--pid-file", folder / "munged.pid", "--log-file",
           folder / "munged.log", "--seed-file", folder / "munge.seed"});
    const std::string host = Holder::self().host;
    write("slurm.conf", fmt::format("ClusterName=theta\n"
                                    "SlurmctldHost={0}(127.0.0.1)\n"
                                    "SlurmctldPort={1}\n"
                                    "SlurmdPort={2}\n"
                                    "SlurmUser=root\n"
                                    "AuthType=auth/munge\n"
                                    "AuthInfo=socket={3}/munge.socket\n"
                                    "CredType=cred/munge\n"
                                    "ProctrackType=proctrack/linuxproc\n"
                                    "TaskPlugin=task/none\n"
                                    "JobAcctGatherType=jobacct_gather/none\n"
                                    "SelectType=select/cons_tres\n"
                                    "SelectTypeParameters=CR_CPU\n"
                                    "MpiDefault=none\n"
                                    "ReturnToService=2\n"
                                    "StateSaveLocation={3}/state\n"
                                    "SlurmdSpoolDir={3}/spool\n"
                                    "SlurmctldPidFile={3}/slurmctld.pid\n"
                                    "SlurmdPidFile={3}/slurmd.pid\n"
                                    "SlurmctldLogFile={3}/slurmctld.log\n"
                                    "SlurmdLogFile={3}/slurmd.log\n"
                                    "NodeName={0} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN\n"
                                    "PartitionName=main Nodes=ALL Default=YES State=UP\n",
                                    host, free_port(), free_port(), folder.string()));
    ::setenv("SLURM_CONF", (folder / "slurm.conf").c_str(), 1);
    start({"/usr/sbin/slurmctld", "-D"});
    start({"/usr/sbin/slurmd", "-D", "-N", host});
  }
  ~Cluster() {
    for (auto daemon = daemons_.rbegin(); daemon != daemons_.rend(); ++daemon) {
      (*daemon)->send(SIGTERM);
      (*daemon)->wait();
    }
    ::unsetenv("SLURM_CONF");
  }

  /// Whether the node takes jobs.
  bool ready() const {
    return run_to_end({"/usr/bin/sinfo", "-h", "-o", "%T"}).out.find("idle") != std::string::npos;
  }
  std::string logs() const {
    std::string out;
    for (const char* log : {"munged.log", "slurmctld.log", "slurmd.log"})
      out += std::string(log) + ":\n" + content(folder_ / log);
    return out;
  }

 private:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  void start(const std::vector<std::string>& command) {
    daemons_.push_back(std::make_unique<Process>(command));
  }

  const fs::path folder_;
  std::vector<std::unique_ptr<Process>> daemons_;
};

/// Waits for what is to come.   @return whether it came within two minutes.
template <typename F>
bool comes(const F& what) {
  for (int i = 0; i < 1200; ++i) {
    if (what()) return true;
    std::this_thread::sleep_for(100ms);
  }
  return false;
}

using SweepOnSlurm = SweepRuns;

TEST_F(SweepOnSlurm, GivesTheReportOfTheSweepOnThisMachine) {
  if (const std::string missing = missing_of_slurm(); !missing.empty()) GTEST_SKIP() << missing;
  const fs::path file = config(kFour), out = folder_.path() / "out of 5%";
  ASSERT_EQ(sweep(file, "whole").code, 0);
  const Cluster cluster(folder_.path() / "slurm");
  ASSERT_TRUE(comes([&] { return cluster.ready(); })) << cluster.logs();
  delay_ = 5ms;
  const Finished submitted =
      run_to_end({theta_binary(), "sweep", file, "--out", out, "--on", "slurm", "--workers", "2",
                  "--jobs", "1", "--sbatch", "time=10", "--sbatch", "cpus-per-task=1"});
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  EXPECT_THAT(submitted.out, HasSubstr("2 workers, as " + out.string() + "/slurm.sh says\n"));
  const auto queue = [] { return run_to_end({"/usr/bin/squeue", "-h"}).out; };
  ASSERT_TRUE(comes([&] { return fs::exists(out / "report.json") && queue().empty(); }))
      << queue() << cluster.logs();
  EXPECT_EQ(lasting_report(out), lasting_report(folder_.path() / "whole"));
  // Both tasks have worked.
  EXPECT_TRUE(fs::exists(out / "cache.2.db"));
  const std::string job = submitted.out.substr(4, submitted.out.find(':') - 4);
  for (const char* task : {"1", "2"})
    EXPECT_TRUE(fs::exists(out / fmt::format("slurm-{}_{}.log", job, task)));
}

TEST_F(SweepOnSlurm, SaysWhatSbatchRefuses) {
  if (const std::string missing = missing_of_slurm(); !missing.empty()) GTEST_SKIP() << missing;
  const Cluster cluster(folder_.path() / "slurm");
  ASSERT_TRUE(comes([&] { return cluster.ready(); })) << cluster.logs();
  const fs::path out = folder_.path() / "out";
  const Finished refused = run_to_end({theta_binary(), "sweep", config(kFour), "--out", out, "--on",
                                       "slurm", "--sbatch", "partition=none"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, testing::StartsWith("sbatch refuses " + (out / "slurm.sh").string() +
                                               ": sbatch: error: "));
}

}  // namespace
}  // namespace theta
