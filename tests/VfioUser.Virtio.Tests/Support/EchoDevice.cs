using System.Collections.Concurrent;

namespace VfioUser.Virtio.Tests;

/// <summary>Answers each request with its own bytes, backwards. A second queue sends what the test says, unasked.</summary>
internal sealed class EchoDevice : VirtioDevice
{
    private readonly ConcurrentQueue<byte[]> _messages = new();

    public EchoDevice(ulong features = (ulong)VirtioFeatures.RingPacked)
        : base((VirtioDeviceType)42, queues: 2, features)
    {
        Echo = AddQueue("echo", 256, Serve, ownThread: true);
        Events = AddQueue("events", 64, Send);
        Config = AddConfig(new EchoConfig { Generation = 1 });
        EnableMigration();
    }

    public VirtioQueue Echo { get; }

    public VirtioQueue Events { get; }

    public new VirtioConfig<EchoConfig> Config { get; }

    /// <summary>Chains are kept here in place of an answer.</summary>
    public BlockingCollection<VirtioChain>? Held { get; set; }

    /// <summary>By the handlers of both queues, with a buffer in the hand.</summary>
    public Exception? Throws { get; set; }

    public int DriversGone { get; private set; }

    public void Tell(byte[] message)
    {
        _messages.Enqueue(message);
        Events.Wake();
    }

    public static void Answer(VirtioChain chain)
    {
        byte[] bytes = new byte[Math.Min(chain.Readable.Length, 1 << 20)]; // the guest may claim more than there is
        if (!chain.Readable.TryRead(0, bytes))
        {
            chain.Complete();
            return;
        }
        Array.Reverse(bytes);
        Span<byte> answer = bytes.AsSpan(0, (int)Math.Min(bytes.Length, chain.Writable.Length));
        chain.Complete(chain.Writable.TryWrite(0, answer) ? answer.Length : 0);
    }

    protected override void OnDriverGone() => DriversGone++;

    private void Serve(VirtioChain chain)
    {
        if (Throws is { } exception)
            throw exception;
        if (Held is { } held)
            held.Add(chain);
        else
            Answer(chain);
    }

    private bool Send(VirtioQueue queue)
    {
        bool worked = false;
        while (_messages.TryPeek(out byte[]? message) && queue.TryTake(out VirtioChain? chain))
        {
            worked = true;
            if (Throws is { } exception)
            {
                Held?.Add(chain);
                throw exception;
            }
            _ = _messages.TryDequeue(out _);
            chain.Complete(chain.Writable.TryWrite(0, message) ? message.Length : 0);
        }
        return worked;
    }
}
