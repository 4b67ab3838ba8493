using System.Globalization;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Tests.Polling;
using Xunit.Abstractions;

namespace VfioUser.Tests.Serving;

/// <summary>
/// Spoilt messages over real sockets: all commands in all states of migration. <c>VFIO_USER_FUZZ_MESSAGES</c> and
/// <c>VFIO_USER_FUZZ_SEED</c> change how many and which.
/// </summary>
[Collection(OpenFds.Name)]
public sealed class MutationTests(ITestOutputHelper output)
{
    private const int DefaultMessages = 20_000;
    private const int DefaultSeed = 20260101;

    // fewer messages than this need not get everywhere
    private const int EnoughMessages = 200_000;

    private static readonly MigrationState[] States =
        [MigrationState.Running, MigrationState.Stop, MigrationState.StopCopy, MigrationState.Resuming, MigrationState.PreCopy, MigrationState.Error];

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Random_messages_end_no_process_and_leak_nothing(ServedBy by)
    {
        int messages = Setting("VFIO_USER_FUZZ_MESSAGES", DefaultMessages);
        int seed = Setting("VFIO_USER_FUZZ_SEED", DefaultSeed);
        output.WriteLine($"Seed {seed}, {messages} messages.");
        List<Exception> unobserved = [];
        void Observe(object? sender, UnobservedTaskExceptionEventArgs e) => unobserved.Add(e.Exception);
        TaskScheduler.UnobservedTaskException += Observe;
        FuzzLog log = new();
        FuzzedDevice[] devices = [new(preCopy: false), new(preCopy: true)];
        using SafeFileHandle unmovable = Files.Sealed(Corpus.FileSize), movable = Files.Unsealed((long)Corpus.FileSize), nothing = Files.DevNull();
        using EventFd eventFd = new();
        using AnonymousPipeServerStream pipe = new(PipeDirection.Out);
        using EventFd ready = new();
        ready.Signal();
        using SafeFileHandle epoll = Files.Epoll(ready.Handle);
        // memory most often, so that maps succeed
        SafeHandle[] files = [unmovable, unmovable, unmovable, movable, eventFd.Handle, eventFd.Handle, eventFd.Handle, eventFd.Handle, eventFd.Handle, nothing, pipe.SafePipeHandle, pipe.ClientSafePipeHandle, epoll];
        using (Coverage warmUp = new())
            Run(by, devices, log, warmUp, new Mutator(seed), eventFd.Handle, files, messages: 1000); // what the runtime opens at the first time and keeps
        OpenFds before = OpenFds.Now();
        string budget = DmaBudget.OfProcess.ToString();

        using Coverage coverage = new();
        Run(by, devices, log, coverage, new Mutator(seed), eventFd.Handle, files, messages);

        before.More().Should().BeEmpty();
        OpenFds.Mappings("vfio-user-test").Should().Be(0);
        DmaBudget.OfProcess.ToString().Should().Be(budget);
        TaskScheduler.UnobservedTaskException -= Observe;
        unobserved.Should().BeEmpty();
        log.Failures.Should().BeEmpty();
        Tell(devices, log, coverage);
        // the messages were not so spoilt that they never got anywhere
        if (messages >= EnoughMessages)
            ShouldHaveBeenEverywhere(devices, log, coverage, messages);
    }

    private void Run(ServedBy by, FuzzedDevice[] devices, FuzzLog log, Coverage coverage, Mutator mutator, SafeHandle eventFd, SafeHandle[] files, int messages)
    {
        using FuzzTarget stopping = new(devices[0], preCopy: false, log, coverage, by), copying = new(devices[1], preCopy: true, log, coverage, by);
        int sessions = 0;
        for (int sent = 0; sent < messages; sessions++)
        {
            log.IsTracing = sessions % 16 == 0;
            using FuzzSession session = new(mutator.Once(3) ? stopping : copying, mutator, eventFd, files);
            session.Begin();
            sent += 1 + session.Talk(Math.Min(mutator.Random.Next(1, 500), messages - sent));
            session.End();
        }
        stopping.ShouldServe();
        copying.ShouldServe();
        output.WriteLine($"{sessions} sessions.");
    }

    private static void ShouldHaveBeenEverywhere(FuzzedDevice[] devices, FuzzLog log, Coverage coverage, int messages)
    {
        int often = messages / 100_000;
        log.Thrown.Should().BeGreaterThan(often);
        log.Broken.Should().BeGreaterThan(often);
        for (int way = 0; way < 3; way++)
            devices.Sum(device => device.Touched[way]).Should().BeGreaterThan(often);
        devices.Sum(device => device.Interrupted).Should().BeGreaterThan(often);
        devices.Should().OnlyContain(device => device.Rung > often && device.Restored > often);
        foreach (MigrationState state in States)
        {
            coverage.In(state, served: true).Should().BeGreaterThan(often, "in {0} something is served", state);
            coverage.In(state, served: false).Should().BeGreaterThan(often, "in {0} something is refused", state);
            foreach (Command command in Enum.GetValues<Command>())
                coverage.Of(command, state).Should().BeGreaterThan(often, "{0} comes in {1}", command, state);
        }
        foreach (Command command in Enum.GetValues<Command>())
        {
            coverage.Of(command, served: false).Should().BeGreaterThan(often, "{0} is refused", command);
            if (command != Command.Version) // one is served, before the session begins
                coverage.Of(command, served: true).Should().BeGreaterThan(often, "{0} is served", command);
        }
    }

    private void Tell(FuzzedDevice[] devices, FuzzLog log, Coverage coverage)
    {
        output.WriteLine($"Devices threw {log.Thrown} times, {log.Broken} clients were cut off.");
        foreach (FuzzedDevice device in devices)
        {
            output.WriteLine($"One used memory {string.Join(", ", device.Touched)} times, mapped, by file, by message, interrupted {device.Interrupted} times, " +
                $"was rung {device.Rung} times and restored {device.Restored} times.");
        }
        foreach (MigrationState state in States)
            output.WriteLine($"{state}: {coverage.In(state, served: true)} served, {coverage.In(state, served: false)} refused.");
        foreach (Command command in Enum.GetValues<Command>())
        {
            output.WriteLine($"{command}: {coverage.Of(command, served: true)} served, {coverage.Of(command, served: false)} refused; " +
                string.Join(", ", States.Select(state => coverage.Of(command, state))));
        }
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
