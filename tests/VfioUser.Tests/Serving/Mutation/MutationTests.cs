using System.Globalization;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Tests.Polling;
using Xunit.Abstractions;

namespace VfioUser.Tests.Serving;

/// <summary>
/// A million spoilt messages over real sockets. <c>VFIO_USER_FUZZ_MESSAGES</c> and <c>VFIO_USER_FUZZ_SEED</c> change
/// how many and which.
/// </summary>
[Collection(OpenFds.Name)]
public sealed class MutationTests(ITestOutputHelper output)
{
    private const int DefaultMessages = 1_000_000;
    private const int DefaultSeed = 20260101;

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Whatever_clients_say_the_process_lives_and_nothing_leaks(ServedBy by)
    {
        int messages = Setting("VFIO_USER_FUZZ_MESSAGES", DefaultMessages);
        int seed = Setting("VFIO_USER_FUZZ_SEED", DefaultSeed);
        output.WriteLine($"Seed {seed}, {messages} messages.");
        List<Exception> unobserved = [];
        void Observe(object? sender, UnobservedTaskExceptionEventArgs e) => unobserved.Add(e.Exception);
        TaskScheduler.UnobservedTaskException += Observe;
        FuzzLog log = new();
        FuzzedDevice device = new();
        using SafeFileHandle unmovable = Files.Sealed(Corpus.FileSize), movable = Files.Unsealed((long)Corpus.FileSize), nothing = Files.DevNull();
        using EventFd eventFd = new();
        using AnonymousPipeServerStream pipe = new(PipeDirection.Out);
        using EventFd ready = new();
        ready.Signal();
        using SafeFileHandle epoll = Files.Epoll(ready.Handle);
        // memory most often, so that maps succeed
        SafeHandle[] files = [unmovable, unmovable, unmovable, movable, eventFd.Handle, eventFd.Handle, eventFd.Handle, eventFd.Handle, eventFd.Handle, nothing, pipe.SafePipeHandle, pipe.ClientSafePipeHandle, epoll];
        Run(by, device, log, new Mutator(seed), eventFd.Handle, files, messages: 1000); // what the runtime opens at the first time and keeps
        OpenFds before = OpenFds.Now();

        Run(by, device, log, new Mutator(seed), eventFd.Handle, files, messages);

        before.More().Should().BeEmpty();
        OpenFds.Mappings("vfio-user-test").Should().Be(0);
        TaskScheduler.UnobservedTaskException -= Observe;
        unobserved.Should().BeEmpty();
        log.Failures.Should().BeEmpty();
        output.WriteLine($"The device threw {log.Thrown} times, {log.Broken} clients were cut off.");
        output.WriteLine($"It used memory {string.Join(", ", device.Touched)} times, mapped, by file, by message, and interrupted {device.Interrupted} times.");
        // the messages were not so spoilt that they never got anywhere
        log.Thrown.Should().BePositive();
        log.Broken.Should().BePositive();
        device.Touched.Should().OnlyContain(times => times > 0);
        device.Interrupted.Should().BePositive();
    }

    private void Run(ServedBy by, FuzzedDevice device, FuzzLog log, Mutator mutator, SafeHandle eventFd, SafeHandle[] files, int messages)
    {
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", new VfioUserServerOptions
        {
            DmaTimeout = TimeSpan.FromMilliseconds(1),
            Logger = log,
        });
        Task running = by == ServedBy.OwnThread ? server.RunAsync(device) : Polled.RunAsync(server, device);
        int sessions = 0;
        for (int sent = 0; sent < messages; sessions++)
        {
            log.IsTracing = sessions % 16 == 0;
            using FuzzSession session = new(server.Address, mutator, eventFd, files);
            session.Begin();
            sent += 1 + session.Talk(Math.Min(mutator.Random.Next(1, 500), messages - sent));
            session.End();
        }
        using (RawClient fresh = RawClient.Connect(server.Address))
        {
            Served.Negotiate(fresh);
            fresh.ShouldBeServed();
        }
        server.Dispose();
        running.ShouldGive();
        output.WriteLine($"{sessions} sessions.");
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
