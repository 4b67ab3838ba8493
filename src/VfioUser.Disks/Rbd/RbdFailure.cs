using System.Runtime.InteropServices;

namespace VfioUser.Disks;

/// <summary>Results of librbd below 0, as exceptions.</summary>
internal static class RbdFailure
{
    private const int NotPermitted = 1; // EPERM
    private const int NoAccess = 13; // EACCES
    private const int NoSpace = 28; // ENOSPC
    private const int ReadOnly = 30; // EROFS
    private const int Blocklisted = 108; // ESHUTDOWN
    private const int TimedOut = 110; // ETIMEDOUT
    private const int OverQuota = 122; // EDQUOT

    /// <summary>Of an access.</summary>
    /// <param name="what">It was.</param>
    /// <param name="result">Below 0.</param>
    public static DiskException Of(string what, long result)
    {
        int errno = (int)-result;
        DiskError error = errno switch
        {
            NotPermitted or NoAccess or ReadOnly => DiskError.WriteProtected,
            NoSpace or OverQuota => DiskError.NoSpace,
            TimedOut => DiskError.NotReady,
            _ => DiskError.Media,
        };
        string reason = errno == Blocklisted ? "the cluster has shut this client out, for another one has taken the image" : Reason(errno);
        return new DiskException(error, $"{what} failed: {reason}.");
    }

    /// <summary>Throws if a call failed while the image was opened.</summary>
    /// <exception cref="IOException">It did.</exception>
    public static void Check(int result, string what)
    {
        if (result < 0)
            throw new IOException($"{what}: {Reason(-result)}.", -result);
    }

    public static string Reason(int errno) => Marshal.GetPInvokeErrorMessage(errno);
}
