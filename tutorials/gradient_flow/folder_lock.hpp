#pragma once
/// A folder in which one process at a time works.

#include <string>

namespace lab {

/// The folder is this one's alone until it goes, or its process ends however that is: the system holds the lock, and no
/// file stands for it. A folder that is not there, or lies on a system without locks, is not locked.
class FolderLock {
  public:
    /// Throws ebb::FileError, naming the option, where the folder is locked already.
    explicit FolderLock(const std::string& folder);
    ~FolderLock();
    FolderLock(FolderLock&& other) noexcept;
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;
    FolderLock& operator=(FolderLock&&) = delete;

  private:
    int file_;  // -1 for none
};

}  // namespace lab
