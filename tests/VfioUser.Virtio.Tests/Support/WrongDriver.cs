using System.Diagnostics;

namespace VfioUser.Virtio.Tests;

/// <summary>A driver whose messages have errors in them, and which scribbles over its rings and messages. Whatever a message says, its buffer
/// has to come back: only a wrong ring may end its queue.</summary>
internal sealed class WrongDriver
{
    private const int Batch = 16;
    private const int RingSize = 256;
    private const int Receiving = 32; // most buffers that the device has for what it says
    private const int SlotSize = 1 << 14;
    private const int AnswersSize = 1 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly uint[] Lengths = [0, 1, 7, 8, 11, 43, 44, 4096, 65_536, 1 << 19, uint.MaxValue];

    private readonly VirtioDriver _driver;
    private readonly Random _random;
    private readonly int[] _receiving;
    private readonly int _answerLength;
    private readonly Iova _messages;
    private readonly Iova _answers;
    private readonly int[] _posted;

    /// <param name="guest">Its device.</param>
    /// <param name="random">Decides everything.</param>
    /// <param name="receiving">The queues in which the device speaks.</param>
    /// <param name="answerLength">How much room a message usually has for its answer.</param>
    public WrongDriver(TestGuest guest, Random random, int[] receiving, int answerLength = 0)
    {
        (_random, _receiving, _answerLength) = (random, receiving, answerLength);
        VirtioDriverOptions options = ((Layout)random.Next(Enum.GetValues<Layout>().Length)).Options(RingSize);
        _driver = VirtioDriver.Start(guest, options with { Features = options.Features | 0xFF_FFFF });
        _posted = new int[_driver.Queues.Count];
        _messages = guest.Memory.Allocate(Batch * SlotSize);
        _answers = guest.Memory.Allocate(2 * AnswersSize);
    }

    /// <summary>Sends messages, as many as there are to be.</summary>
    /// <param name="buffers">How many.</param>
    /// <param name="message">What would be right, by queue.</param>
    /// <param name="between">Called between batches, for what the other end does.</param>
    public void Run(int buffers, Func<int, byte[]> message, Action between)
    {
        for (int done = 0; done < buffers; done += Batch)
        {
            if (!TrySend(message))
                Restart();
            between();
        }
        Restart();
    }

    private void Restart()
    {
        _driver.Start();
        Array.Clear(_posted);
    }

    // false if the rings are not to be used any more
    private bool TrySend(Func<int, byte[]> message)
    {
        foreach (int each in _receiving)
            Feed(each);
        int index = _random.Next(_driver.Queues.Count);
        VirtioDriverQueue queue = _driver.Queues[index];
        bool breaks = false;
        if (_receiving.Contains(index))
        {
            if (_posted[index] < 2 * MostPosted(queue))
            {
                breaks = Add(queue, [.. Room()]);
                _posted[index]++;
            }
        }
        else
        {
            for (int i = 0; i < Batch; i++)
                breaks |= Add(queue, Parts(message(index), i));
        }
        bool scribbles = _random.Next(32) == 0;
        if (scribbles)
            Scribble(queue);
        queue.NotifyAlways();
        for (int i = _random.Next(4); i > 0; i--)
            _driver.Guest.Memory.Write(_messages + (ulong)_random.Next(Batch * SlotSize), (byte)_random.Next(256));
        if (breaks || scribbles)
            return false; // what it answers now is nobody's
        if (_receiving.Contains(index))
            return true;
        Stopwatch waited = Stopwatch.StartNew();
        for (int taken = 0; taken < Batch;)
        {
            if (queue.TryTake(out _))
            {
                taken++;
                continue;
            }
            // it may have much to say first
            foreach (int each in _receiving)
                Feed(each);
            waited.Elapsed.Should().BeLessThan(Limit, "queue {0} has {1} of {2} buffers back", index, taken, Batch);
        }
        return true;
    }

    private void Feed(int index)
    {
        VirtioDriverQueue queue = _driver.Queues[index];
        while (queue.TryTake(out _))
            _posted[index]--;
        if (_posted[index] >= MostPosted(queue))
            return;
        while (_posted[index] < MostPosted(queue))
        {
            queue.Add(new VirtioPart(_answers + (ulong)(_posted[index] * 4096), 4096, writable: true));
            _posted[index]++;
        }
        queue.Notify();
    }

    // of one or two parts each, and there may be as many again
    private static int MostPosted(VirtioDriverQueue queue) => Math.Min(Receiving, queue.Size / 4);

    // whether it breaks the ring
    private static bool Add(VirtioDriverQueue queue, VirtioPart[] parts)
    {
        queue.Add(parts);
        bool isTooLong = parts.Sum(static part => part.Length) > uint.MaxValue;
        return isTooLong || parts.Zip(parts.Skip(1)).Any(static pair => pair.First.Writable && !pair.Second.Writable);
    }

    private VirtioPart[] Parts(byte[] message, int slot)
    {
        Iova at = _messages + (ulong)(slot * SlotSize);
        if (_random.Next(2) == 0)
        {
            for (int i = _random.Next(1, 5); i > 0 && message.Length > 0; i--)
                message[_random.Next(message.Length)] = (byte)_random.Next(256);
        }
        _driver.Guest.Memory.Write(at, message);
        long length = _random.Next(8) == 0 ? Length() : message.Length;
        long first = _random.Next(3) == 0 ? _random.NextInt64(length + 1) : length;
        List<VirtioPart> parts = [new(_random.Next(32) == 0 ? Anywhere() : at, first, writable: false)];
        if (first < length)
            parts.Add(new VirtioPart(at + (ulong)first, length - first, writable: false));
        if (_answerLength > 0 && _random.Next(32) > 0)
            parts.AddRange(Room());
        if (_random.Next(400) == 0)
            parts.Reverse(); // readable ones behind writable ones break the queue
        return [.. parts];
    }

    private IEnumerable<VirtioPart> Room()
    {
        for (int i = _random.Next(1, 3); i > 0; i--)
        {
            long length = _random.Next(8) == 0 ? Length() : Math.Max(_answerLength, 8);
            yield return new VirtioPart(_random.Next(16) == 0 ? Anywhere() : _answers + (ulong)_random.Next(AnswersSize / 2), length, writable: true);
        }
    }

    private long Length() => Lengths[_random.Next(Lengths.Length)];

    private Iova Anywhere() => _random.Next(3) switch
    {
        0 => new Iova((ulong)_random.NextInt64()),
        1 => new Iova(ulong.MaxValue - 100),
        _ => new Iova(0),
    };

    private void Scribble(VirtioDriverQueue queue)
    {
        byte[] garbage = new byte[_random.Next(1, 64)];
        _random.NextBytes(garbage);
        Iova at = _random.Next(2) == 0 ? queue.DriverArea : queue.Descriptors + (ulong)_random.Next(16 * (RingSize - 4));
        _driver.Guest.Memory.Write(at, at == queue.DriverArea ? garbage.AsSpan(0, Math.Min(garbage.Length, 4)) : garbage);
    }
}
