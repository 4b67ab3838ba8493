using System.IO.Pipelines;
using System.Runtime.InteropServices;

namespace VfioUser.Virtio.Tests;

/// <summary>Whole sessions of drivers that say anything to a console: a fresh driver is served after each.</summary>
public sealed class ConsoleMutationTests
{
    private const int BuffersPerSession = 2048;
    private static readonly int[] ToDriver = [0, 2, 4];
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public Task Thousands_of_wrong_buffers_hurt_nobody() => Run(sessions: 4);

    [Fact]
    [Trait("Category", "Long")]
    public Task An_eighth_of_a_million_wrong_buffers_hurt_nobody() => Run(sessions: (125_000 / BuffersPerSession) + 1);

    private static async Task Run(int sessions)
    {
        for (int seed = 0; seed < sessions; seed++)
        {
            Random random = new(seed);
            using VirtioConsole console = new(new() { Ports = ["echo"], BufferSize = 4096 });
            using TestGuest guest = TestGuest.Attach(console, new TestGuestOptions { MemorySize = 64 << 20 });
            using CancellationTokenSource over = new();
            Task[] reading = [.. console.Ports.Select(port => Drop(port.Input, over.Token))];
            WrongDriver driver = new(guest, random, ToDriver);

            driver.Run(BuffersPerSession, queue => Message(random, queue), () => Act(console, guest, random));

            await over.CancelAsync();
            await Task.WhenAll(reading).WaitAsync(Limit);
            console.Resize(80, 25);
            console["echo"].IsConnected = true;
            ConsoleDriver fresh = new(guest);
            fresh.TakePorts();
            fresh.Send(1, [(byte)seed]);
            ReadResult read = await console["echo"].Input.ReadAsync().AsTask().WaitAsync(Limit);
            read.Buffer.FirstSpan.ToArray().Should().Equal([(byte)seed], "the driver of session {0} is a fresh one", seed);
        }
    }

    // What the host's side does meanwhile. Nobody may take what it writes, so it is not much.
    private static void Act(VirtioConsole console, TestGuest guest, Random random)
    {
        switch (random.Next(16))
        {
            case 0:
                console.Resize(random.Next(200), random.Next(200));
                break;
            case 1:
                console["echo"].IsConnected = random.Next(2) == 0;
                break;
            case 2:
                guest.Bar0.Write(0x2000 + random.Next(16), new byte[random.Next(1, 5)]);
                break;
            case 3 when random.Next(8) == 0:
                console["echo"].Output.WriteAsync(new byte[8]).AsTask().IsCompleted.Should().BeTrue("there is room");
                break;
        }
    }

    private static byte[] Message(Random random, int queue)
    {
        if (queue != 3)
            return new byte[random.Next(1, 512)];
        ConsoleMessage message = new((uint)random.Next(2), (ConsoleEvent)random.Next(8), (ushort)random.Next(2));
        return MemoryMarshal.AsBytes(new ReadOnlySpan<ConsoleMessage>(in message)).ToArray();
    }

    private static async Task Drop(PipeReader input, CancellationToken over)
    {
        using CancellationTokenRegistration registration = over.Register(input.CancelPendingRead);
        ReadResult read;
        do
        {
            read = await input.ReadAsync(CancellationToken.None);
            input.AdvanceTo(read.Buffer.End);
        }
        while (!read.IsCanceled);
    }
}
