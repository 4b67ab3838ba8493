using Nvme.Driver;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Support;

/// <summary>A guest that goes from one server to another, and knows what it has written to each block.</summary>
internal sealed class MovingGuest : IDisposable
{
    private const int BlockSize = 4096;
    private const int InFlight = 64;

    private readonly int[] _written; // the seed of each block's bytes; 0 for none
    private readonly Iova[] _pages;
    private readonly Random _random = new(1);
    private readonly List<TestGuest> _left = [];
    private int _seed;
    private int _waiting;
    private NvmeDriver _driver;
    private DriverQueue _queue;

    /// <param name="guest">Attached to a controller whose blocks have 4096 bytes; becomes this one's.</param>
    /// <param name="blocks">How many to use.</param>
    public MovingGuest(TestGuest guest, int blocks = 512)
    {
        Guest = guest;
        _written = new int[blocks];
        _driver = new NvmeDriver(guest);
        _driver.Enable();
        _queue = _driver.CreateQueue(1, 2 * InFlight);
        _pages = [.. Enumerable.Range(0, InFlight).Select(_ => guest.Memory.Allocate(BlockSize))];
    }

    public TestGuest Guest { get; private set; }

    /// <summary>Writes some blocks, and does not wait.</summary>
    public void BeginWrites()
    {
        int[] blocks = [.. Enumerable.Range(0, _written.Length)];
        _random.Shuffle(blocks);
        for (int i = 0; i < InFlight; i++)
        {
            _written[blocks[i]] = ++_seed;
            Guest.Memory.Write(_pages[i], Machine.Pattern(BlockSize, _seed));
            _queue.Put(NewCommand.Io(IoOpcode.Write, (ulong)blocks[i], 1, _pages[i]));
            _waiting++;
        }
        _queue.Ring();
    }

    /// <summary>Waits for them.</summary>
    public void EndWrites()
    {
        for (; _waiting > 0; _waiting--)
            NvmeDriver.Expect(_queue.Take());
    }

    /// <summary>Migrates: its processors stand still, its commands are under way.</summary>
    public void MoveTo(Func<TestGuest, TestGuest> migrate)
    {
        TestGuest target = migrate(Guest);
        NvmeDriver driver = NvmeDriver.Moved(_driver, target);
        _queue = driver.Move(_queue);
        _driver.Dispose();
        (_driver, Guest) = (driver, Left(target));
    }

    /// <summary>Reads all blocks.</summary>
    public void Verify()
    {
        for (int block = 0; block < _written.Length; block++)
        {
            NvmeDriver.Expect(_queue.Execute(NewCommand.Io(IoOpcode.Read, (ulong)block, 1, _pages[0])));
            Guest.Memory.ReadBytes(_pages[0], BlockSize).AsSpan().SequenceEqual(Expected(block)).Should().BeTrue("block {0} was written", block);
        }
    }

    public void Flush() => NvmeDriver.Expect(_queue.Execute(NewCommand.Io(IoOpcode.Flush)));

    /// <summary>What a block has.</summary>
    public byte[] Expected(int block) => _written[block] == 0 ? new byte[BlockSize] : Machine.Pattern(BlockSize, _written[block]);

    public void Dispose()
    {
        _driver.Dispose();
        Guest.Dispose();
        foreach (TestGuest guest in _left)
            guest.Dispose();
    }

    // it stays attached to a device that is stopped
    private TestGuest Left(TestGuest target)
    {
        _left.Add(Guest);
        return target;
    }
}
