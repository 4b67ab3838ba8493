using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>A process that has no descriptor left, because a client of another server made it hold so many.</summary>
[Collection(OpenFds.Name)]
public sealed class OutOfDescriptorsTests
{
    private const int NumberOfFiles = 7;

    [Fact]
    public void A_server_that_cannot_let_a_client_in_tries_again_later()
    {
        using (Served warm = Served.Start())
        using (RawClient any = warm.Attach())
            any.ShouldBeServed(); // whatever is loaded and opened at the first time
        using Served served = Served.Start();
        using RawClient first = served.Attach();
        first.ShouldBeServed();
        using RawClient second = served.Connect(); // waits in the queue
        GetLimit(NumberOfFiles, out Limit limit).Should().Be(0);
        Limit none = limit with { Soft = 3 };

        try
        {
            SetLimit(NumberOfFiles, none).Should().Be(0);
            first.Dispose();
            SpinWait.SpinUntil(() => served.Log.Has(CapturedLog.CannotAccept) || served.Running.IsCompleted, Wait.Bound);
        }
        finally
        {
            _ = SetLimit(NumberOfFiles, limit);
        }

        served.Running.IsCompleted.Should().BeFalse("the shortage is not for ever");
        Served.Negotiate(second);
        second.ShouldBeServed();
    }

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limit(ulong Soft, ulong Hard);

    [DllImport("libc", EntryPoint = "getrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetLimit(int resource, out Limit limit);

    [DllImport("libc", EntryPoint = "setrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetLimit(int resource, in Limit limit);
}
