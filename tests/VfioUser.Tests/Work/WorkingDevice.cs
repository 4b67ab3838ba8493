using System.Collections.Concurrent;

namespace VfioUser.Tests.Work;

/// <summary>A device whose work without commands is a test's to say, and which keeps a diary.</summary>
internal sealed class WorkingDevice : PciDevice
{
    private readonly BlockingCollection<string> _diary = [];

    public WorkingDevice()
        : base(new PciId(0x1B36, 0x00F8), PciClass.Other)
    {
        RequiresBusMaster = false;
        Register = AddBar(0, BarKind.Memory32, 0x1000).AddRegister(0, new RegisterOptions<uint> { OnWrite = write => Written?.Invoke(write.New) });
        ResetControl = Config.AddPciExpress().Offset + 9;
        EnableMigration();
    }

    public Register<uint> Register { get; }

    /// <summary>Where bit 7 asks for a function-level reset.</summary>
    public int ResetControl { get; }

    /// <summary>What a write to the register does, on the Command thread.</summary>
    public Action<uint>? Written { get; set; }

    /// <summary>What it says when it is asked to quiesce.</summary>
    public Func<QuiesceReason, CancellationToken, ValueTask<bool>> Answer { get; set; } = (_, _) => new(true);

    /// <summary>Called with each entry of the diary.</summary>
    public Action<string>? Happened { get; set; }

    /// <summary>What happened and was not waited for yet, in order.</summary>
    public IEnumerable<string> Diary => _diary;

    public void Tell(string what)
    {
        _diary.Add(what);
        Happened?.Invoke(what);
    }

    /// <summary>Waits for the next entries.</summary>
    public void ShouldTell(params string[] entries)
    {
        foreach (string entry in entries)
        {
            _diary.TryTake(out string? next, Serving.Wait.Bound).Should().BeTrue("{0} was due", entry);
            next.Should().Be(entry);
        }
    }

    protected override ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation) => Answer(reason, cancellation);

    protected override void OnReset(ResetReason reason) => Tell($"reset {reason}");

    protected override void OnStopped() => Tell("stopped");

    protected override void OnStarted() => Tell("started");

    protected override void OnDetached() => Tell("detached");
}
